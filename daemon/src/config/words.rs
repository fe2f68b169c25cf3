//! The words that settings are written with, in files and on the bus.

use super::{OnAcLoss, OnLowPower};
use stiefel_core::pairing::Policy;
use stiefel_core::preflight::OnBattery;

/// What a trigger brings about.
///
/// # Errors
/// Which words there are.
pub fn policy(word: &str) -> Result<Policy, String> {
    match word {
        "ask" => Ok(Policy::Ask),
        "automatic" => Ok(Policy::Automatic),
        "never" => Ok(Policy::Never),
        _ => Err("\"ask\", \"automatic\" or \"never\" is needed".into()),
    }
}

/// What lending on battery is.
///
/// # Errors
/// Which words there are.
pub fn on_battery(word: &str) -> Result<OnBattery, String> {
    match word {
        "refuse" => Ok(OnBattery::Refuse),
        "warn" => Ok(OnBattery::Warn),
        "allow" => Ok(OnBattery::Allow),
        _ => Err("\"refuse\", \"warn\" or \"allow\" is needed".into()),
    }
}

/// What becomes of an announced hand-off when the charger is unplugged.
///
/// # Errors
/// Which words there are.
pub fn on_ac_loss(word: &str) -> Result<OnAcLoss, String> {
    match word {
        "ask" => Ok(OnAcLoss::Ask),
        "call-off" => Ok(OnAcLoss::CallOff),
        "go-ahead" => Ok(OnAcLoss::GoAhead),
        _ => Err("\"ask\", \"call-off\" or \"go-ahead\" is needed".into()),
    }
}

/// What a borrower does when the lender's battery is nearly empty.
///
/// # Errors
/// Which words there are.
pub fn on_low_power(word: &str) -> Result<OnLowPower, String> {
    match word {
        "give-back" => Ok(OnLowPower::GiveBack),
        "warn" => Ok(OnLowPower::Warn),
        _ => Err("\"give-back\" or \"warn\" is needed".into()),
    }
}
