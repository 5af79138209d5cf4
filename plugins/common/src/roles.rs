use wardflow_sdk::PeerRole;

/// Whether who has the role tries everything, or stands for many others.
pub const fn is_for_many(role: PeerRole) -> bool {
    matches!(role, PeerRole::Scanner | PeerRole::NetworkManagement | PeerRole::Proxy | PeerRole::Nat)
}

/// Whether who has the role serves everybody in the hospital.
pub const fn serves_everybody(role: PeerRole) -> bool {
    matches!(role, PeerRole::NameServer | PeerRole::TimeServer | PeerRole::DomainController | PeerRole::DhcpServer)
}
