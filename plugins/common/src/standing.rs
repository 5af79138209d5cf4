use wardflow_sdk::{Flows, PeerRole, PeerScope, name_id};

use crate::is_dhcp;

/// Who a peer is to a device, whose model has the groups `G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<G> {
    /// Declared to talk to everything, or no peer at all: multicast, broadcast, DHCP.
    Everywhere,
    /// In a peer group of the model.
    Member(G),
    /// Outside the hospital.
    Internet,
    /// A workstation.
    Workstation,
    /// Any other internal host.
    Inside,
}

impl<G> Standing<G> {
    /// How much contact with such a peer weighs.
    pub(crate) const fn gravity(&self) -> u8 {
        match self {
            Self::Everywhere => 0,
            Self::Member(_) => 1,
            Self::Inside => 2,
            Self::Workstation => 3,
            Self::Internet => 4,
        }
    }
}

/// How members of a model's peer groups are told.
#[derive(Clone, Debug)]
pub struct Groups<G: 'static> {
    by_code: &'static [G],
    by_class: Vec<(u32, G)>,
    by_role: &'static [(PeerRole, G)],
    workstation: u32,
}

impl<G: Copy> Groups<G> {
    /// The groups in the order of `plugin.toml`, the inventory's classes and the declared roles that belong to them.
    pub fn new(
        by_code: &'static [G],
        by_class: &'static [(&'static str, G)],
        by_role: &'static [(PeerRole, G)],
    ) -> Self {
        let by_class = by_class.iter().map(|(class, group)| (name_id(class), *group)).collect();
        Self { by_code, by_class, by_role, workstation: name_id("workstation") }
    }

    /// Group first, as the host matched it; then the inventory's class of the peer; then its declared role.
    pub fn standing(&self, flows: &Flows<'_>, row: usize) -> Standing<G> {
        let scope = flows.peer_scope()[row];
        if matches!(scope, PeerScope::Multicast | PeerScope::Broadcast | PeerScope::Unspecified) || is_dhcp(flows, row)
        {
            return Standing::Everywhere;
        }
        let (class, role) = (flows.peer_class()[row], flows.peer_role()[row]);
        let group = (self.coded(flows.peer_group()[row]))
            .or_else(|| find(&self.by_class, class, class != 0))
            .or_else(|| find(self.by_role, role, role != PeerRole::None));
        match group {
            Some(group) => Standing::Member(group),
            None if is_everywhere(role) => Standing::Everywhere,
            None if scope == PeerScope::External => Standing::Internet,
            None if class == self.workstation => Standing::Workstation,
            None => Standing::Inside,
        }
    }

    fn coded(&self, code: u16) -> Option<G> {
        self.by_code.get(usize::from(code.checked_sub(1)?)).copied()
    }
}

fn find<K: Copy + PartialEq, G: Copy>(pairs: &[(K, G)], key: K, is_known: bool) -> Option<G> {
    pairs.iter().find(|(other, _)| is_known && *other == key).map(|(_, group)| *group)
}

const fn is_everywhere(role: PeerRole) -> bool {
    matches!(
        role,
        PeerRole::Scanner
            | PeerRole::NetworkManagement
            | PeerRole::Backup
            | PeerRole::RemoteService
            | PeerRole::DomainController
            | PeerRole::DhcpServer
    )
}
