//! The words that enumerated properties hold.
//!
//! A newer daemon may say a word that this version does not know. Such a word is
//! kept, so that it can be shown; the XML says how to treat it.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$word_doc])* $word,)+
            /// A word of a newer daemon.
            Unknown(String),
        }

        impl $name {
            /// The word on the bus.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$word => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$word,)+
                    _ => Self::Unknown(text.to_owned()),
                }
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(text.into())
            }
        }

        #[cfg(test)]
        impl $name {
            const TEXTS: &[&str] = &[$($text),+];
        }
    };
}

words! {
    /// Manager.Role
    Role {
        /// The system runs from its own disk.
        Lender = "lender",
        /// The system runs from a lent disk.
        Borrower = "borrower",
    }
}

words! {
    /// Manager.ImageState
    ImageState {
        /// There is no ramdisk.
        Missing = "missing",
        /// The kernel's files have changed since it was made.
        Stale = "stale",
        /// It can be used.
        Ready = "ready",
        /// It is being made.
        Building = "building",
    }
}

words! {
    /// The verdict of a Check.
    Verdict {
        /// As it should be.
        Ok = "ok",
        /// Worth a look.
        Warn = "warn",
        /// Forbids a hand-off.
        Block = "block",
    }
}

words! {
    /// HandOff.State
    State {
        /// The disk belongs to the running system.
        Idle = "idle",
        /// Nothing is touched yet, people may object.
        Announced = "announced",
        /// The machine is being made ready.
        Preparing = "preparing",
        /// The reboot was ordered.
        Leaving = "leaving",
        /// A cancelled or failed hand-off is being undone.
        Reverting = "reverting",
    }
}

words! {
    /// HandOff.Reason
    Reason {
        /// There was no hand-off, or it has not come back.
        None = "",
        /// Somebody said no.
        Cancelled = "cancelled",
        /// Nobody said yes in time.
        Expired = "expired",
        /// Something was in the way.
        Blocked = "blocked",
        /// A step could not be done.
        StepFailed = "step-failed",
        /// The reboot did not happen.
        RebootRefused = "reboot-refused",
    }
}

words! {
    /// HandOff.AtDeadline
    AtDeadline {
        /// Nothing is announced.
        None = "",
        /// The hand-off goes ahead.
        GoAhead = "go-ahead",
        /// The hand-off is called off.
        CallOff = "call-off",
    }
}

words! {
    /// HandOff.Step
    Step {
        /// Nothing is being done.
        None = "",
        /// Keeping the machine from suspending.
        HoldSleep = "hold-sleep",
        /// Looking at the ramdisk.
        CheckImage = "check-image",
        /// Taking the stiefellink.
        ClaimLink = "claim-link",
        /// Loading kernel, ramdisk and ticket.
        LoadKernel = "load-kernel",
    }
}

words! {
    /// Pairing.Policy
    PairingPolicy {
        /// Somebody has to say yes.
        Ask = "ask",
        /// Goes ahead unless somebody says no.
        Automatic = "automatic",
        /// Gets no answer.
        Never = "never",
    }
}

words! {
    /// Pairing.Presence
    Presence {
        /// No search was heard lately.
        Away = "away",
        /// It searches.
        Searching = "searching",
        /// It searches with a boot medium of another version.
        Outdated = "outdated",
    }
}

words! {
    /// Link.State
    LinkState {
        /// Switched off.
        Down = "down",
        /// Nothing answers at the other end.
        NoCarrier = "no-carrier",
        /// There is somebody at the other end.
        Up = "up",
    }
}

words! {
    /// Link.Policy
    LinkPolicy {
        /// Nothing; no search is heard on it.
        Ignore = "ignore",
        /// Searches are heard on it.
        Shared = "shared",
        /// The stiefellink.
        Dedicated = "dedicated",
    }
}

words! {
    /// Manager.BatteryWarning
    BatteryWarning {
        /// There is no reason for one.
        None = "none",
        /// It is time to look for the charger.
        Low = "low",
        /// The machine will soon have to do something about it.
        Critical = "critical",
        /// The machine is about to suspend or to shut down.
        Action = "action",
    }
}

words! {
    /// Job.Kind
    JobKind {
        /// Makes the ramdisk of the running kernel.
        UpdateImage = "update-image",
        /// Makes a stick of a drive.
        WriteStick = "write-stick",
        /// Makes an image of a stick in a file.
        SaveStick = "save-stick",
    }
}

words! {
    /// Job.State
    JobState {
        /// It goes on.
        Running = "running",
        /// It has done what it was to do.
        Done = "done",
        /// It has not.
        Failed = "failed",
        /// Somebody called it off.
        Cancelled = "cancelled",
    }
}

words! {
    /// What the service itself can do about a Check.
    Remedy {
        /// Nothing.
        None = "",
        /// Manager.UpdateImage mends it.
        UpdateImage = "update-image",
        /// Manager.Pair mends it.
        Pair = "pair",
    }
}

words! {
    /// HandOff.Trigger
    Trigger {
        /// There was no hand-off.
        None = "",
        /// Somebody at this machine.
        Person = "person",
        /// The borrower searched.
        Search = "search",
        /// The stiefellink was plugged in.
        Plug = "plug",
    }
}

words! {
    /// Loan.State
    LoanState {
        /// The disk can be read and written.
        Held = "held",
        /// The lender cannot be reached.
        Frozen = "frozen",
        /// This system shuts down.
        Closing = "closing",
        /// The lender has taken its disk back.
        Lost = "lost",
    }
}

words! {
    /// Loan.Cable
    Cable {
        /// Somebody is at its other end.
        Connected = "connected",
        /// Nobody is.
        Unplugged = "unplugged",
        /// The network interface is not there.
        NoCard = "no-card",
    }
}

words! {
    /// Loan.DiskHealth
    DiskHealth {
        /// The disk says nothing.
        NotKnown = "unknown",
        /// It is well.
        Good = "good",
        /// It is near the end of its days.
        Worn = "worn",
        /// It has to be saved.
        Failing = "failing",
    }
}

words! {
    /// The verdict of one of Loan.Warnings
    Severity {
        /// Worth a look.
        Warn = "warn",
        /// Something has to be done now.
        Critical = "critical",
    }
}

words! {
    /// Loan.Ending
    Ending {
        /// It goes on.
        None = "",
        /// Somebody at the lender asks for the disk.
        Asked = "asked",
        /// The lender's battery is nearly empty.
        LowPower = "low-power",
    }
}

words! {
    /// Drive.State
    DriveState {
        /// It can be written to.
        Free = "free",
        /// File systems on it are in use.
        Mounted = "mounted",
        /// Something else uses it.
        Busy = "busy",
        /// It refuses to be written to.
        ReadOnly = "read-only",
        /// A stick needs more room.
        TooSmall = "too-small",
        /// There is nothing in it.
        NoMedium = "no-medium",
    }
}

words! {
    /// Settings.OnBattery
    OnBattery {
        /// Nothing is lent on battery.
        Refuse = "refuse",
        /// It is, with enough charge.
        Warn = "warn",
        /// It is, with any charge.
        Allow = "allow",
    }
}

words! {
    /// Settings.OnAcLoss
    OnAcLoss {
        /// The hand-off needs a Confirm.
        Ask = "ask",
        /// It is called off.
        CallOff = "call-off",
        /// It goes ahead.
        GoAhead = "go-ahead",
    }
}

words! {
    /// Settings.OnLowPower
    OnLowPower {
        /// The system warns, and shuts down.
        GiveBack = "give-back",
        /// It only warns.
        Warn = "warn",
    }
}

words! {
    /// Job.Phase
    JobPhase {
        /// It has not said.
        None = "",
        /// It puts things together.
        Making = "making",
        /// It writes the stick.
        Writing = "writing",
        /// It reads the stick back.
        Verifying = "verifying",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CONTRACT;

    #[test]
    fn unknown_words_are_kept() {
        assert_eq!(State::from("dreaming").to_string(), "dreaming");
        assert_eq!(State::from("idle"), State::Idle);
    }

    /// Each word of ours is documented in the contract, in quotes.
    #[test]
    fn the_contract_knows_our_words() {
        let contract: String = CONTRACT.iter().map(|(_, xml)| *xml).collect();
        let all = [
            Role::TEXTS,
            ImageState::TEXTS,
            Verdict::TEXTS,
            State::TEXTS,
            Reason::TEXTS,
            AtDeadline::TEXTS,
            Step::TEXTS,
            PairingPolicy::TEXTS,
            Presence::TEXTS,
            LinkState::TEXTS,
            LinkPolicy::TEXTS,
            BatteryWarning::TEXTS,
            JobKind::TEXTS,
            JobState::TEXTS,
            Remedy::TEXTS,
            Trigger::TEXTS,
            LoanState::TEXTS,
            Cable::TEXTS,
            DiskHealth::TEXTS,
            Severity::TEXTS,
            Ending::TEXTS,
            DriveState::TEXTS,
            OnBattery::TEXTS,
            OnAcLoss::TEXTS,
            OnLowPower::TEXTS,
            JobPhase::TEXTS,
        ];
        for text in all.concat() {
            assert!(contract.contains(&format!("\"{text}\"")), "{text}");
        }
    }
}
