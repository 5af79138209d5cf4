//! The hospital: what the options make of it.

use crate::{Device, Error, Flows, Infrastructure, Options, PeerGroup, Truth, infrastructure, plan::Plan, site::Site};

/// A synthetic hospital: its devices, its network and its flows.
#[derive(Debug)]
pub struct Hospital {
    site: Site,
    plan: Plan,
}

impl Hospital {
    /// Builds a hospital.
    ///
    /// # Errors
    /// If a number is out of its range, the time zone is unknown, or the span leaves the calendar.
    pub fn new(options: Options) -> Result<Self, Error> {
        let site = Site::new(&options)?;
        let plan = Plan::new(&site, &options);
        Ok(Self { site, plan })
    }

    /// All devices, those asked for and the servers.
    pub fn inventory(&self) -> &[Device] {
        &self.site.devices
    }

    /// The hosts that talk to many devices by design, as the hospital declares them.
    pub fn infrastructure(&self) -> Vec<Infrastructure> {
        infrastructure::declare(&self.site)
    }

    /// The peers that infusion pumps are meant to have: `pump-gateway`, `drug-library-server`, `time-server` and
    /// `name-server`.
    pub fn peer_groups(&self) -> Vec<PeerGroup> {
        infrastructure::pump_peers(&self.site)
    }

    /// The local hours in which pumps fetch drug libraries and firmware, such as `02:00-05:00`.
    pub fn drug_library_hours(&self) -> &'static str {
        infrastructure::DRUG_LIBRARY_HOURS
    }

    /// The first instant of the span and the first one after it, UTC microseconds. Every flow lies within.
    pub fn span_us(&self) -> (i64, i64) {
        (self.site.calendar.start_us, self.site.calendar.end_us)
    }

    /// About how many flows [`flows`](Self::flows) yields.
    pub fn expected_flows(&self) -> u64 {
        self.plan.expected as u64
    }

    /// The flows, ordered by [`Flow::archive_order`](crate::Flow::archive_order). Each call begins anew and yields the
    /// same.
    pub fn flows(&self) -> Flows<'_> {
        Flows::new(&self.site, &self.plan)
    }

    /// What really happened. Every flow with an [`incident`](crate::Flow::incident) is counted in exactly one row.
    pub fn truth(&self) -> &[Truth] {
        &self.plan.played.truth
    }
}
