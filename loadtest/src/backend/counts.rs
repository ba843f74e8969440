//! What a backend has seen and done, so that a test can prove that its fault really happened.

crate::counters::counters! {
    /// A backend's counters at one moment.
    Counts of Counters {
        /// Connections accepted, refused ones included.
        connections,
        /// Connections reset at once because the backend refuses them.
        connections_refused,
        /// Established connections reset, by going down or by a fault in an answer.
        connections_reset,
        /// Requests read.
        requests,
        /// Requests that came compressed.
        compressed,
        /// Items in the requests that were taken.
        items,
        /// Bytes of request bodies, as they came.
        bytes,
        /// Requests that did not decode, all answered as bad data.
        undecodable,
        /// Requests answered with a refusal.
        refused,
        /// Requests left without an answer.
        hung,
        /// Requests answered late.
        slowed,
        /// Requests taken whose answer was cut off.
        responses_lost,
        /// Requests of which some items were rejected.
        partial,
    }
}
