//! Goal: nobody does or sees through the API what is not theirs to, and no bad request does any harm. Method: every operation comes out of
//! the OpenAPI document, so none can be forgotten; each is called by everybody who may not, on things that exist, and all rows of the
//! database are compared before and after. Who may what is declared in `access`, and a stale line fails.

mod access;
mod bad_input;
mod credentials;
mod document;
mod floods;
mod operations;
mod walls;
mod world;
