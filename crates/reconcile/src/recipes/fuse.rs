//! Fuses.

use super::Recipe;
use crate::object::SiteError;

pub fn all(_recipe: &mut Recipe<'_>) -> Result<(), SiteError> {
    Ok(())
}
