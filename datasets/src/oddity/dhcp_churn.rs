//! DHCP churn: in the small hours of every third day, a quarter of the workstations get each other's addresses. Those
//! that incidents happen on keep theirs.

use crate::{
    DeviceClass,
    site::{Site, swap_leases},
};

/// As many workstations share a circle of leases.
const CIRCLE: usize = 3;
const EVERY_DAYS: usize = 3;
/// The local minute at which leases move: the DHCP server restarts.
const MINUTE: f64 = 5.0 * 60.0;

pub(super) fn arrange(site: &mut Site) {
    let span = site.calendar.start_us + 1..site.calendar.end_us;
    let instants_us: Vec<i64> = site
        .calendar
        .days()
        .iter()
        .step_by(EVERY_DAYS)
        .map(|day| site.calendar.instant(day, MINUTE))
        .filter(|instant_us| span.contains(instant_us))
        .collect();
    let settling: Vec<_> = site.casting.bystanders(DeviceClass::Workstation).collect();
    let circles = (site.of(DeviceClass::Workstation).len() / (4 * CIRCLE)).max(1);
    for circle in settling.chunks_exact(CIRCLE).take(circles) {
        swap_leases(site, circle, &instants_us);
    }
}
