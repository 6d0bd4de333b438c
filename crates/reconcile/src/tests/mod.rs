//! Goal: the recipes and plans are what people expect, and a plan that was applied leaves nothing to plan. Method: golden
//! texts of one example site, and random sites and routers with foreign rows in all spellings.

mod device;
mod example;
mod lab;
mod leases;
mod plans;
mod preflight;
mod properties;
mod recipes;
mod undo;
mod walls;
