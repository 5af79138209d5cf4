//! Scalar functions: `cidr_match`, `ip_scope`, `device_of`.

use std::{net::IpAddr, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray, StringArray},
    compute::cast,
    datatypes::{DataType, TimestampMicrosecondType},
};
use datafusion::{
    common::{Result, plan_err},
    logical_expr::{ColumnarValue, ScalarFunctionImplementation, ScalarUDF, Volatility, create_udf},
    prelude::SessionContext,
};
use ipnet::IpNet;

use crate::{detect::World, device::parse_mac, flow::time_type, workspace::Workspace, zone::IpScope};

/// Makes the functions known to a session.
pub(super) fn register(context: &SessionContext, workspace: &Workspace) {
    let text = || DataType::Utf8View;
    let world = Arc::clone(&workspace.world);
    context.register_udf(create_udf(
        "cidr_match",
        vec![text(), text()],
        DataType::Boolean,
        Volatility::Immutable,
        function(|columns| cidr_match(&columns[0], &columns[1])),
    ));
    let scopes = Arc::clone(&world);
    context.register_udf(create_udf(
        "ip_scope",
        vec![text()],
        DataType::Utf8,
        Volatility::Immutable,
        function(move |columns| Ok(ip_scope(&scopes, &columns[0]))),
    ));
    context.register_udf(create_udf(
        "device_of",
        vec![text(), text(), time_type()],
        DataType::Utf8,
        Volatility::Immutable,
        function(move |columns| device_of(&world, &columns[0], &columns[1], &columns[2])),
    ));
}

/// Whether a text is an address.
pub(super) fn is_ip() -> ScalarUDF {
    let check = |columns: &[ArrayRef]| -> Result<ArrayRef> {
        let texts = cast(&columns[0], &DataType::Utf8View)?;
        let is_ip = |text: Option<&str>| text.map(|text| text.parse::<IpAddr>().is_ok());
        Ok(Arc::new(texts.as_string_view().iter().map(is_ip).collect::<BooleanArray>()))
    };
    create_udf("is_ip", vec![DataType::Utf8View], DataType::Boolean, Volatility::Immutable, function(check))
}

/// A function of whole columns.
fn function(of: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static) -> ScalarFunctionImplementation {
    Arc::new(move |arguments| {
        let is_scalar = arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let result = of(&ColumnarValue::values_to_arrays(arguments)?)?;
        if is_scalar {
            return Ok(ColumnarValue::Scalar(datafusion::scalar::ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    })
}

/// Whether an address lies in a CIDR; null where the address is none.
fn cidr_match(ips: &ArrayRef, cidrs: &ArrayRef) -> Result<ArrayRef> {
    let (ips, cidrs) = (cast(ips, &DataType::Utf8View)?, cast(cidrs, &DataType::Utf8View)?);
    let (ips, cidrs) = (ips.as_string_view(), cidrs.as_string_view());
    let mut last: Option<(&str, IpNet)> = None;
    let mut matches = Vec::with_capacity(ips.len());
    for (ip, cidr) in ips.iter().zip(cidrs) {
        let (Some(ip), Some(cidr)) = (ip, cidr) else {
            matches.push(None);
            continue;
        };
        let net = match last {
            Some((text, net)) if text == cidr => net,
            _ => match cidr.parse::<IpNet>().or_else(|_| cidr.parse::<IpAddr>().map(IpNet::from)) {
                Ok(net) => net,
                Err(_) => {
                    return plan_err!("cidr_match: {cidr:?} is no CIDR; write one such as '10.0.0.0/8' or 'fd00::/8'");
                }
            },
        };
        last = Some((cidr, net));
        matches.push(ip.parse::<IpAddr>().ok().map(|ip| net.contains(&ip.to_canonical())));
    }
    Ok(Arc::new(BooleanArray::from(matches)))
}

/// Where an address is; null where it is none.
fn ip_scope(world: &World, ips: &ArrayRef) -> ArrayRef {
    let scope = |ip: &str| ip.parse().ok().map(|ip| world.space.scope(ip).name());
    let ips = cast(ips, &DataType::Utf8View).unwrap_or_else(|_| Arc::clone(ips));
    Arc::new(ips.as_string_view().iter().map(|ip| ip.and_then(scope)).collect::<StringArray>())
}

/// The device behind an address at a time, as the operator finds it; null where there is none.
fn device_of(world: &World, ips: &ArrayRef, macs: &ArrayRef, times: &ArrayRef) -> Result<ArrayRef> {
    let macs = cast(macs, &DataType::Utf8View)?;
    let (ips, macs) = (cast(ips, &DataType::Utf8View)?, macs.as_string_view());
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let needs_mac = world.inventory.needs_mac();
    let device = |(row, ip): (usize, Option<&str>)| {
        let ip: IpAddr = ip?.parse::<IpAddr>().ok()?.to_canonical();
        let at = times.is_valid(row).then(|| times.value(row))?;
        if let Some(entry) = world.inventory.bindings_of_ip(ip).find(|entry| entry.is_valid(at)) {
            return Some(entry.device_id.clone());
        }
        if world.space.scope(ip) != IpScope::Internal {
            return None;
        }
        let mac = (needs_mac && macs.is_valid(row)).then(|| parse_mac(macs.value(row))).flatten();
        let by_mac = mac.and_then(|mac| world.inventory.bindings_of_mac(mac).find(|entry| entry.is_valid(at)));
        Some(by_mac.map_or_else(|| ip.to_string(), |entry| entry.device_id.clone()))
    };
    Ok(Arc::new(ips.as_string_view().iter().enumerate().map(device).collect::<StringArray>()))
}
