//! Who may do what: polkit decides, and it is asked about the sender of the
//! message, never about us.

use std::collections::HashMap;
use std::pin::Pin;
use zbus::fdo;
use zbus::message::{Flags, Header};
use zbus_polkit::policykit1::{AuthorityProxy, CheckAuthorizationFlags, Subject};

/// What somebody has to be allowed to do, one for each polkit action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Begin or confirm a hand-off.
    HandOff,
    /// Call one off.
    Cancel,
    /// Answer searches, or not.
    Arm,
    /// Make or destroy a pairing.
    Pair,
    /// Read the secret of a pairing.
    WriteStick,
    /// Change settings.
    Manage,
    /// Give a lent disk back.
    GiveBack,
    /// Have a loan measured.
    Watch,
}

impl Action {
    /// The action's name, as in the annotations of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HandOff => "hand-off",
            Self::Cancel => "cancel",
            Self::Arm => "arm",
            Self::Pair => "pair",
            Self::WriteStick => "write-stick",
            Self::Manage => "manage",
            Self::GiveBack => "give-back",
            Self::Watch => "watch",
        }
    }
}

/// Lets pass, or refuses.
pub trait Bouncer: Send + Sync {
    /// Whose program has sent a message; [`ROOT`]'s may do everything.
    fn user<'a>(&'a self, header: &'a Header<'_>) -> Decision<'a, u32>;

    /// Whether the sender of a message may do this; an error says why not. It may take as long
    /// as somebody types a password.
    fn admit<'a>(&'a self, action: Action, header: &'a Header<'_>) -> Decision<'a, ()>;
}

/// What is decided elsewhere.
pub type Decision<'a, T> = Pin<Box<dyn Future<Output = fdo::Result<T>> + Send + 'a>>;

/// The user whom polkit always lets pass: root need not wait for it, and passes where it cannot
/// be asked.
pub const ROOT: u32 = 0;

/// Asks polkit.
pub struct Polkit {
    bus: zbus::Connection,
}

impl Polkit {
    /// The authority on this bus.
    #[must_use]
    pub fn new(bus: &zbus::Connection) -> Self {
        Self { bus: bus.clone() }
    }

    async fn ask(&self, action: Action, header: &Header<'_>) -> fdo::Result<()> {
        let denied = || {
            fdo::Error::AccessDenied(format!(
                "polkit does not allow you to do this ({}{})",
                stiefel_dbus::names::ACTION_PREFIX,
                action.as_str()
            ))
        };
        let authority = AuthorityProxy::new(&self.bus).await?;
        let subject = Subject::new_for_message_header(header).map_err(|_| denied())?;
        let interactive = is_interactive(header);
        let flags = match interactive {
            true => CheckAuthorizationFlags::AllowUserInteraction.into(),
            false => Default::default(),
        };
        let name = format!("{}{}", stiefel_dbus::names::ACTION_PREFIX, action.as_str());
        let result = authority
            .check_authorization(&subject, &name, &HashMap::new(), flags, "")
            .await;
        match result {
            Ok(result) if result.is_authorized => Ok(()),
            Ok(result) if result.is_challenge && !interactive => {
                Err(fdo::Error::InteractiveAuthorizationRequired(format!(
                    "this needs a password ({name})"
                )))
            }
            Ok(_) => Err(denied()),
            // Not installed, masked, or broken.
            Err(error) => {
                tracing::warn!("cannot ask polkit: {error}");
                Err(denied())
            }
        }
    }

    async fn look_up(&self, header: &Header<'_>) -> fdo::Result<u32> {
        let Some(sender) = header.sender() else {
            return Err(fdo::Error::AccessDenied("nobody asked for this".into()));
        };
        let names = fdo::DBusProxy::new(&self.bus).await?;
        names.get_connection_unix_user(sender.clone().into()).await
    }
}

impl Bouncer for Polkit {
    fn user<'a>(&'a self, header: &'a Header<'_>) -> Decision<'a, u32> {
        Box::pin(self.look_up(header))
    }

    fn admit<'a>(&'a self, action: Action, header: &'a Header<'_>) -> Decision<'a, ()> {
        Box::pin(self.ask(action, header))
    }
}

/// Whether the sender of a message is there to type a password.
#[must_use]
pub fn is_interactive(header: &Header<'_>) -> bool {
    let flags = header.primary().flags();
    flags.contains(Flags::AllowInteractiveAuth)
}
