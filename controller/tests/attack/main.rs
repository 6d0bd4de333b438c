//! Goal: nobody does or sees through the API what is not theirs to, and no bad request does any harm. Method: every operation comes out of
//! the OpenAPI document, so none can be forgotten; each is called by everybody who may not, on things that exist, and all rows of the
//! database are compared before and after. Who may what stands in the document; the table of all operations and callers is published as `docs/access.md`.

mod access;
mod bad_input;
mod credentials;
mod document;
mod floods;
mod matrix;
mod operations;
mod tables;
mod walls;
mod world;
