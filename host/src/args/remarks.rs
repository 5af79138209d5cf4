//! What people can say of findings and devices: exceptions, triage, resets.

use clap::{Args as Group, Subcommand};
use jiff::Timestamp;
use wardflow::{
    exception::MOST_BYTES,
    triage::{DISPOSITIONS, STATUSES},
};

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Except {
    Add(AddException),
    /// List the exceptions, how they stand, and how many findings each hides
    List,
    /// Take an exception back: what it hid is shown again
    Revoke {
        /// Its id, from `wardflow except list`
        id: String,
    },
}

/// Hide findings that the hospital has looked at, for a while
///
/// It holds of past findings and of those to come. They stay in `excepted_findings`, and are shown again once the exception
/// expires or is revoked. A condition that names nothing, or that holds of all findings there are on several devices and of
/// several kinds, is refused.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
The condition is SQL over the columns of `findings`, and names with = or IN what it is about: kind, plugin,
device_id, device_ip, peer_ip, title, group_id or finding_id. It may say more, as in
cidr_match(peer_ip, '203.0.113.0/24').

Examples:
  wardflow except add \"kind = 'beacon' AND peer_ip = '203.0.113.7'\" \\
    --owner 'Medical engineering' --reason 'cloud of the CT, contract 2026-17' --until 2027-01-01
  wardflow except add \"group_id = 'b5bb9d8014a0f9b1d61e21e796d78dcc'\" --owner IT --reason 'known' --until 2026-12-24")]
pub(crate) struct AddException {
    /// Which findings
    #[arg(value_parser = said)]
    pub(crate) condition: String,
    /// Who answers for it
    #[arg(long, value_name = "WHO", value_parser = said)]
    pub(crate) owner: String,
    /// Why
    #[arg(long, value_name = "WHY", value_parser = said)]
    pub(crate) reason: String,
    /// Until when: a date, which is its midnight in UTC, or a time such as 2027-01-01T12:00:00Z
    #[arg(long, value_name = "T", value_parser = super::time)]
    pub(crate) until: Timestamp,
}

/// Say what became of a finding, or of all of a group: the hospital's own record, which stays through reruns
///
/// What is not said stays as it was said before. The table `triage` has what counts, `lake.triage` everything that was said.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Examples:
  wardflow triage b5bb9d8014a0f9b1d61e21e796d78dcc --status in-progress --assignee 'Network team'
  wardflow triage b5bb9d8014a0f9b1d61e21e796d78dcc --status resolved --disposition benign --note 'a test of the maker'
  wardflow sql 'SELECT f.title, t.status FROM findings AS f LEFT JOIN triage AS t ON f.finding_id = t.finding_id'")]
pub(crate) struct Triage {
    /// The finding's id, or that of a group, whose findings of now are all meant
    #[arg(value_name = "FINDING_ID|GROUP_ID")]
    pub(crate) id: String,
    /// How far it is
    #[arg(long, value_parser = STATUSES)]
    pub(crate) status: Option<String>,
    /// What it turned out to be
    #[arg(long, value_parser = DISPOSITIONS)]
    pub(crate) disposition: Option<String>,
    /// Who looks at it
    #[arg(long, value_name = "WHO", value_parser = said)]
    pub(crate) assignee: Option<String>,
    /// What was found out
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) note: Option<String>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Baseline {
    Reset(Reset),
}

/// Have a device learned anew, after its behaviour has changed for good
///
/// What was learned of it does not count from a slice on; findings until then stay. The table `baselines` has what each
/// plugin has learned.
#[derive(Clone, Debug, Group)]
#[command(after_long_help = "\
Examples:
  wardflow baseline reset pump-0017 --reason 'moved to another ward'
  wardflow baseline reset mri-2 --plugin wardflow/imaging-modality --since 2026-03-02 --reason 'new PACS'")]
pub(crate) struct Reset {
    /// The device's id
    #[arg(value_name = "DEVICE_ID")]
    pub(crate) device: String,
    /// The plugin's id [default: every plugin]
    #[arg(long, value_name = "ID")]
    pub(crate) plugin: Option<String>,
    /// From the first slice that begins at T or later [default: from what is analysed next]
    #[arg(long, value_name = "T", value_parser = super::time)]
    pub(crate) since: Option<Timestamp>,
    /// Why
    #[arg(long, value_name = "WHY", value_parser = said)]
    pub(crate) reason: String,
}

fn said(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it must say something".to_owned()),
        text if text.len() > MOST_BYTES => Err(format!("it has {} bytes, of at most {MOST_BYTES}", text.len())),
        text => Ok(text.to_owned()),
    }
}
