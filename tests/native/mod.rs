//! The sandboxed detector and the same source linked natively agree exactly: findings, observations and states.

mod linked;

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use wardflow::{
    analyze::{Options, analyze},
    config::Config,
    detector::Stop,
    workspace::Workspace,
};
use wardflow_manifest::ManifestError;
use wardflow_sdk::native::Plugin;

use self::linked::Linked;
use crate::support::Demo;

type Export = fn() -> Result<Plugin, ManifestError>;

async fn check(export: Export) {
    let id = export().unwrap().manifest().id.to_string();
    let sandboxed = Demo::new();
    sandboxed.wardflow(&format!("analyze --plugin {id}"));
    let native = Demo::new();
    let workspace = Workspace::open(Config::read(&native.scratch.path().join("hospital")).unwrap(), &[]).await.unwrap();
    let offered = workspace
        .plugins
        .offered
        .iter()
        .find(|plugin| plugin.manifest.as_ref().is_some_and(|manifest| manifest.id.as_str() == id));
    let digest = offered.unwrap().digest.clone().unwrap();
    let linked = Linked { export, manifest: export().unwrap().manifest().clone(), digest };
    let plugin = workspace.settle(Arc::new(linked)).unwrap();
    let session = SessionContext::new();
    let summary =
        analyze(&workspace, vec![plugin], &session, &Options::default(), &Stop::default(), &|_| {}).await.unwrap();
    assert!(summary.plugins.iter().any(|plugin| !plugin.findings.is_empty()), "{id} has findings");
    assert_eq!(native.results(), sandboxed.results(), "{id}");
}

#[tokio::test(flavor = "multi_thread")]
async fn beacon() {
    check(wardflow_beacon::plugin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scan() {
    check(wardflow_scan::plugin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn infusion_pump() {
    check(wardflow_infusion_pump::plugin).await;
}
