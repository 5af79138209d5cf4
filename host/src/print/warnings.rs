//! What the library warns of on the way, which is no error: shown as the command's own warnings are.

use std::fmt::{Debug, Write};

use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    filter::Targets,
    layer::{Context, Layer, SubscriberExt},
    util::SubscriberInitExt,
};

use super::Printer;

/// Shows the warnings of this process, from here on. Other crates' are none: what they come to is an error, or nothing.
pub(crate) fn show(printer: &Printer) {
    let own = Targets::new().with_target("wardflow", LevelFilter::WARN);
    // It fails only where this was done before.
    let _ = tracing_subscriber::registry().with(own).with(Warnings(printer.clone())).try_init();
}

struct Warnings(Printer);

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        self.0.warn(&message.0);
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}
