//! Expositions and requests, as tables and against the decoded forms.

mod arbitrary;
mod expositions;
mod requests;
