//! `otelcol.receiver.otlp` on loopback: what clients send, what they hear, and what goes on.

#![cfg(test)]

mod admission;
mod arguments;
mod bodies;
mod clients;
mod connections;
mod gateway;
mod grpc;
mod http;
mod identity;
mod tls;
