//! Silenced monitor: a patient monitor in use is cut off, while its neighbours go on, and is back later.
//! ATT&CK for industrial control systems T0804; Enterprise T1489.
//!
//! Easy: for eight hours. Stealthy: on up to four nights, two to three hours each, when few people look. Shown by: the
//! silence of a device that always speaks, in hours in which the sensors see its neighbours.

use super::{
    Incident, Played,
    scene::{Scene, Stretch},
};
use crate::{
    Variant,
    cadence::Days,
    calendar::HOUR_US,
    site::{DeviceIndex, Site},
};

pub(super) fn play(scene: &mut Scene<'_>) {
    let (monitor, silences) = silences(scene.site, scene.variant);
    let description =
        scene.pick("falls silent for hours while it is in use", "falls silent for two to three hours of some nights");
    scene.silence(monitor, description, &silences);
}

/// The monitor, and when it is silent.
pub(super) fn silences(site: &Site, variant: Variant) -> (DeviceIndex, Vec<Stretch>) {
    let mut nothing = Played::default();
    let mut scene = Scene::new(site, Incident::SilencedMonitor, variant, 1.0, &mut nothing);
    let day = scene.times((0.53, 0.85), 8 * HOUR_US);
    let nights = scene.shifts(Days::All, 4, (23.0 * 60.0, 29.0 * 60.0));
    let mut part_of = |(from_us, to_us): Stretch| {
        let lasts_us = (scene.draw.between(2.0, 3.0) * HOUR_US as f64) as i64;
        let begin_us = from_us + (scene.draw.unit() * (to_us - from_us - lasts_us).max(0) as f64) as i64;
        (begin_us, to_us.min(begin_us + lasts_us))
    };
    let nights = nights.into_iter().map(&mut part_of).collect();
    (scene.actor(0), scene.pick(vec![day], nights))
}
