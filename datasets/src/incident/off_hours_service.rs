//! Off-hours service: somebody has the account of an imaging vendor's engineers, and logs on to a modality from
//! outside. ATT&CK T1133, T1078.
//!
//! Easy: from an address that is not the declared one, in the small hours, with much taken along. Stealthy: from the
//! declared address itself, on two evenings, as long and as large as an engineer's visits. Shown by: the address, or
//! only the hour, which the hospital has declared.

use super::scene::Scene;
use crate::{
    cadence::Days,
    exchange::Exchange,
    site::{Party, hosts},
    tap::Call,
};

const TAKEN: Exchange = Exchange::tcp("ssh", 22).bytes(300_000.0, 60_000_000.0, 1.5).millis(500_000.0, 1.0);
const VISIT: Exchange = Exchange::tcp("ssh", 22).bytes(90_000.0, 2_400_000.0, 2.0).millis(300_000.0, 1.0);

pub(super) fn play(scene: &mut Scene<'_>) {
    let modality = scene.actor(0);
    let hours = scene.pick((25.0 * 60.0, 28.0 * 60.0), (19.0 * 60.0, 21.5 * 60.0));
    let (days, count) = scene.pick((Days::All, 1), (Days::Weekdays, 2));
    let shifts = scene.shifts(days, count, hours);
    let instants = scene.series(&shifts, scene.pick((900.0, 1_800.0), (2_400.0, 4_800.0)));
    let (host, exchange) = scene.pick((&hosts::STOLEN_ACCOUNT, &TAKEN), (&hosts::IMAGING_SERVICE, &VISIT));
    let calls =
        instants.into_iter().map(|at_us| Call::new(Party::Outside(host), Party::Device(modality), at_us, exchange));
    let description = scene.pick(
        "is logged on to at night from an address that is not its vendor's",
        "is logged on to from its vendor's address in the evening",
    );
    scene.part(modality, description, calls);
}
