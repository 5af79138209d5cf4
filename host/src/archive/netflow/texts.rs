//! The texts of the record that is being read, in memory that is used again.

use std::{fmt::Write as _, net::IpAddr};

use super::{elements::Slot, fields::Fields};

/// What a record says in words.
#[derive(Debug, Default)]
pub(super) struct Texts {
    service: String,
    flow_uid: String,
    exporter: Option<IpAddr>,
    exporter_name: String,
}

impl Texts {
    /// Takes the texts of a record.
    #[inline]
    pub(super) fn take(&mut self, fields: Fields<'_>) {
        self.service.clear();
        if let Some(name) = fields.bytes(Slot::ApplicationName) {
            self.take_service(name);
        }
        self.flow_uid.clear();
        if let Some(id) = fields.number(Slot::FlowId) {
            let _ = write!(self.flow_uid, "{id}");
        }
        let exporter = fields.exporter();
        if exporter != self.exporter {
            self.exporter = exporter;
            self.exporter_name.clear();
            if let Some(exporter) = exporter {
                let _ = write!(self.exporter_name, "{exporter}");
            }
        }
    }

    /// The application's name in lower case. Names of fixed length end in zeros.
    fn take_service(&mut self, name: &[u8]) {
        let length = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        self.service.push_str(String::from_utf8_lossy(&name[..length]).trim());
        self.service.make_ascii_lowercase();
    }

    pub(super) fn service(&self) -> Option<&str> {
        Some(self.service.as_str()).filter(|text| !text.is_empty())
    }

    pub(super) fn flow_uid(&self) -> Option<&str> {
        Some(self.flow_uid.as_str()).filter(|text| !text.is_empty())
    }

    /// The exporter that the record names, if it does.
    pub(super) fn exporter(&self) -> Option<&str> {
        Some(self.exporter_name.as_str()).filter(|text| !text.is_empty())
    }
}
