//! What the sample models of makers have in common.
//!
//! A maker knows the few peers of its device, and the ports. [`Groups`] tells who a peer is, [`Service`] who offers
//! what to whom. What a maker cannot know a model learns: [`Experience`] says how much was seen, [`Habits`] which
//! services were used on several days, [`Days`] on how many something was. What is odd goes into [`Causes`], which are
//! as many findings as two people can read.

mod causes;
mod evidence;
mod experience;
mod habits;
mod hours;
mod service;
mod standing;

pub use causes::{Causes, Ranked};
pub use evidence::{Evidence, came_about};
pub use experience::{DECLARED, Experience};
pub use habits::Habits;
pub use hours::{Days, Hours, hour_of_day};
pub use service::{LOGIN, Service, TCP, UDP, declared};
pub use standing::{Groups, Standing};
