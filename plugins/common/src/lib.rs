//! What the models of this repository have in common: what a port is called, whether a connection came about, what
//! declared roles are for; and, for the samples of makers' models, the following.
//!
//! A maker knows the few peers of its device, and the ports. [`Groups`] tells who a peer is, [`Service`] who offers
//! what to whom. What a maker cannot know a model learns: [`Experience`] says how much was seen, [`Habits`] which
//! services were used on several days, [`Days`] on how many something was. What is odd goes into [`Causes`], which are
//! as many findings as two people can read.

mod causes;
mod dhcp;
mod ends;
mod evidence;
mod experience;
mod fingerprint;
mod habits;
mod handshake;
mod hours;
mod ports;
mod roles;
mod service;
mod standing;

pub use causes::{Causes, Ranked};
pub use dhcp::is_dhcp;
pub use ends::{DYNAMIC, Ends};
pub use evidence::Evidence;
pub use experience::{DECLARED, Experience};
pub use fingerprint::fingerprint;
pub use habits::Habits;
pub use handshake::{came_about, has_failed, is_established, is_incomplete};
pub use hours::{Days, Hours, day_type_and_hour, hour_of_day, minute_at_end};
pub use ports::{is_login_port, is_polling_port, port_name};
pub use roles::{is_for_many, serves_everybody};
pub use service::{Service, TCP, UDP, declared};
pub use standing::{Groups, Standing};
