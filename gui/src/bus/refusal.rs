//! Why something was not done, in words that a person can act on.

use crate::view::heard::heard;
use gettextrs::gettext;
use stiefel_dbus::names;
use zbus::fdo;

/// Why the daemon did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The person closed the question for the password, or polkit said no.
    NotAllowed,
    /// There is nobody in the session who could ask for the password.
    NobodyToAsk,
    /// The daemon said why, for people. The first is the error's last word,
    /// such as "NameTaken".
    Said(String, String),
    /// The daemon is not there, and why.
    Unreachable(String),
}

impl Refusal {
    /// One sentence for people.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::NotAllowed => gettext("Not done, because it was not permitted"),
            Self::NobodyToAsk => {
                gettext("Not done, because nothing in this session can ask for the password")
            }
            Self::Said(_, text) if text.is_empty() => {
                gettext("Not done, and the service did not say why")
            }
            Self::Said(_, text) => heard(text),
            Self::Unreachable(_) => gettext("The service of Stiefelsystem does not answer"),
        }
    }

    pub(super) fn of(error: &zbus::Error) -> Self {
        let (name, text) = match error {
            zbus::Error::MethodError(name, text, _) => {
                (name.to_string(), text.clone().unwrap_or_default())
            }
            zbus::Error::FDO(error) => parts(error),
            other => return Self::Unreachable(other.to_string()),
        };
        Self::named(&name, text)
    }

    fn named(name: &str, text: String) -> Self {
        if let Some(word) = name.strip_prefix(names::ERROR_PREFIX) {
            return Self::Said(word.to_owned(), text);
        }
        match name.strip_prefix("org.freedesktop.DBus.Error.") {
            Some("AccessDenied" | "AuthFailed") => Self::NotAllowed,
            Some("InteractiveAuthorizationRequired") => Self::NobodyToAsk,
            Some(word @ ("InvalidArgs" | "Failed" | "NotSupported" | "LimitsExceeded")) => {
                Self::Said(word.to_owned(), text)
            }
            _ => Self::Unreachable(text),
        }
    }
}

fn parts(error: &fdo::Error) -> (String, String) {
    use zbus::DBusError;
    let text = error.description().unwrap_or_default().to_owned();
    (error.name().to_string(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_by_their_names() {
        let named = |name: &str| Refusal::named(name, "the name is taken".into());
        assert_eq!(
            named("org.stiefelsystem.Stiefel1.Error.NameTaken"),
            Refusal::Said("NameTaken".into(), "the name is taken".into())
        );
        assert_eq!(
            named("org.freedesktop.DBus.Error.AccessDenied"),
            Refusal::NotAllowed
        );
        assert_eq!(
            named("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"),
            Refusal::NobodyToAsk
        );
        let gone = named("org.freedesktop.DBus.Error.ServiceUnknown");
        assert!(matches!(gone, Refusal::Unreachable(_)));
    }

    #[test]
    fn a_refusal_is_a_sentence_and_no_code() {
        let said = Refusal::Said("NameTaken".into(), "the name is taken".into());
        assert_eq!(said.text(), "The name is taken");
        for refusal in [
            Refusal::NotAllowed,
            Refusal::NobodyToAsk,
            Refusal::Unreachable("no reply".into()),
            Refusal::Said("Failed".into(), String::new()),
        ] {
            assert!(!refusal.text().is_empty());
            assert!(!refusal.text().contains("Error"), "{refusal:?}");
        }
    }
}
