//! From a detector's types to the bytes of the contract, alike in the sandbox and outside.

use std::{any::Any, cell::RefCell};

use crate::{Detector, Device, OpenError, Saved};

/// Opens a detector from JSON parameters and saved bytes.
///
/// # Errors
/// The parameters or the state do not have the detector's types, or the detector refuses the parameters.
pub(crate) fn open<D: Detector>(device: &Device, parameters: &str, state: Option<&[u8]>) -> Result<D, OpenError> {
    let parameters = parsed(parameters).map_err(|error| OpenError::ParametersRefused(error.to_string()))?;
    let state = state.map(read).transpose()?;
    D::open(device, parameters, state).map_err(OpenError::ParametersRefused)
}

thread_local! {
    /// The parameters that were parsed last, and their text. All sessions of an instance have the same.
    static LAST: RefCell<Option<(String, Box<dyn Any>)>> = const { RefCell::new(None) };
}

fn parsed<P: serde::de::DeserializeOwned + Clone + 'static>(text: &str) -> serde_json::Result<P> {
    LAST.with_borrow_mut(|last| {
        if let Some((known, parameters)) = last
            && known == text
            && let Some(parameters) = parameters.downcast_ref::<P>()
        {
            return Ok(parameters.clone());
        }
        let parameters: P = serde_json::from_str(text)?;
        *last = Some((text.to_owned(), Box::new(parameters.clone())));
        Ok(parameters)
    })
}

/// Closes a detector. A state that cannot be serialized becomes empty bytes, which read as unreadable.
pub(crate) fn save<D: Detector>(detector: D) -> Saved<Vec<u8>> {
    let Saved { state, learned, ready } = detector.save();
    let learned = if learned.is_finite() { learned.clamp(0.0, 1.0) } else { 0.0 };
    Saved { state: postcard::to_allocvec(&state).unwrap_or_default(), learned, ready }
}

fn read<S: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<S, OpenError> {
    match postcard::take_from_bytes(bytes) {
        Ok((state, [])) => Ok(state),
        Ok((_, rest)) => Err(OpenError::StateUnreadable(format!("{} bytes too many", rest.len()))),
        Err(error) => Err(OpenError::StateUnreadable(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::{parsed, read};
    use crate::OpenError;

    #[test]
    fn parameters_are_parsed_by_text_and_type() {
        assert_eq!(parsed::<u8>("1").unwrap(), 1);
        assert_eq!(parsed::<u8>("1").unwrap(), 1);
        assert_eq!(parsed::<u8>("2").unwrap(), 2);
        assert_eq!(parsed::<f32>("2").unwrap(), 2.0);
        parsed::<u8>("x").unwrap_err();
    }

    #[test]
    fn only_whole_states_are_read() {
        let check = |bytes: &[u8], readable: bool| {
            let state = read::<(u32, Option<u8>)>(bytes);
            assert_eq!(state.is_ok(), readable, "{state:?}");
            assert!(readable || matches!(state, Err(OpenError::StateUnreadable(_))));
        };
        let good = postcard::to_allocvec(&(300_u32, Some(7_u8))).unwrap();
        check(&good, true);
        check(&good[..good.len() - 1], false);
        check(&[good.clone(), vec![0]].concat(), false);
        check(&[], false);
        check(&[0xff; 32], false);
    }
}
