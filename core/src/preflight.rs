//! Whether this machine can lend its disk, and if not, why not.
//!
//! The daemon collects [`Facts`]; [`examine`] turns them into [`Finding`]s that a
//! person understands. Findings that forbid a hand-off are its blockers.

use std::fmt;

/// What is known about this machine at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// The ramdisk of the running kernel.
    pub image: ImageState,
    /// What the kernel says about kexec.
    pub kexec: Kexec,
    /// The running kernel's file and its initramfs, or what is missing.
    pub kernel: Result<(), String>,
    /// The disk that the system runs from: its model, or why it cannot be lent.
    pub disk: Result<String, String>,
    /// Whether there is a paired machine.
    pub paired: bool,
    /// The NIC for loans.
    pub link: LinkFact,
    /// Where the power comes from.
    pub power: Power,
    /// Who forbids to shut down.
    pub inhibitors: Vec<Inhibitor>,
    /// What was not understood in configuration and pairing files.
    pub mistakes: Vec<String>,
}

/// Whether the ramdisk for the running kernel can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageState {
    /// There is none.
    Missing,
    /// It is of another state of the kernel's files.
    Stale,
    /// It can be used.
    Ready,
    /// It is being made.
    Building,
}

/// Whether the kernel takes another kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kexec {
    /// It does.
    Allowed,
    /// Switched off until the next boot (`kernel.kexec_load_disabled`).
    SwitchedOff,
    /// The kernel was built without it.
    NotBuilt,
}

/// The NIC for loans, as far as one is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFact {
    /// None is configured; all wired ones are used.
    AnyWired,
    /// The configured one, by its name, is there.
    Present(String),
    /// The configured one is not there.
    Gone {
        /// Its name or its hardware address.
        name: String,
        /// Whether the hand-off goes over this one and no other.
        needed: bool,
    },
}

/// Where the power comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    /// Charge of the fullest battery in percent, `None` without a battery.
    pub battery_percent: Option<f64>,
    /// Whether the machine is on mains.
    pub on_mains: bool,
    /// On battery, a lower charge than this forbids a hand-off; percent.
    pub threshold_percent: f64,
}

/// Somebody holds a lock of logind that forbids to shut down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inhibitor {
    /// The program.
    pub who: String,
    /// Its reason.
    pub why: String,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The ramdisk.
    Image,
    /// The kernel's ability to start another one.
    Kexec,
    /// Kernel and initramfs of the running system.
    Kernel,
    /// The disk to lend.
    Disk,
    /// The pairings.
    Pairing,
    /// The NIC.
    Link,
    /// Battery and mains.
    Power,
    /// Locks of other programs.
    Inhibitor,
    /// Files that people or we wrote.
    Configuration,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Image => "image",
            Self::Kexec => "kexec",
            Self::Kernel => "kernel",
            Self::Disk => "disk",
            Self::Pairing => "pairing",
            Self::Link => "link",
            Self::Power => "power",
            Self::Inhibitor => "inhibitor",
            Self::Configuration => "configuration",
        })
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth a look, but no obstacle.
    Warn,
    /// No hand-off as long as this lasts.
    Block,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Block => "block",
        })
    }
}

/// One thing about this machine, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: Subject,
    /// How bad it is.
    pub verdict: Verdict,
    /// What is the case.
    pub text: String,
    /// What to do about it; empty if nothing is to be done.
    pub hint: String,
}

impl Finding {
    fn ok(subject: Subject, text: impl Into<String>) -> Self {
        Self {
            subject,
            verdict: Verdict::Ok,
            text: text.into(),
            hint: String::new(),
        }
    }

    fn new(
        subject: Subject,
        verdict: Verdict,
        text: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            subject,
            verdict,
            text: text.into(),
            hint: hint.into(),
        }
    }
}

/// Looks at everything. There is at least one finding about each subject,
/// in the order of [`Subject`].
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![
        image(facts.image),
        kexec(facts.kexec),
        kernel(&facts.kernel),
        disk(&facts.disk),
        pairing(facts.paired),
        link(&facts.link),
        power(facts.power),
    ];
    findings.extend(inhibitors(&facts.inhibitors));
    findings.extend(configuration(&facts.mistakes));
    findings
}

fn image(state: ImageState) -> Finding {
    use Verdict::Block;
    let subject = Subject::Image;
    match state {
        ImageState::Ready => Finding::ok(subject, "The ramdisk for this kernel is ready"),
        ImageState::Missing => Finding::new(
            subject,
            Block,
            "There is no ramdisk for the running kernel",
            "Run: stiefelctl update",
        ),
        ImageState::Stale => Finding::new(
            subject,
            Block,
            "The ramdisk does not belong to the kernel as it is installed now",
            "Run: stiefelctl update",
        ),
        ImageState::Building => Finding::new(
            subject,
            Block,
            "The ramdisk is being made",
            "Wait until it is ready",
        ),
    }
}

fn kexec(kexec: Kexec) -> Finding {
    use Verdict::Block;
    let subject = Subject::Kexec;
    match kexec {
        Kexec::Allowed => Finding::ok(subject, "The kernel can start the ramdisk"),
        Kexec::SwitchedOff => Finding::new(
            subject,
            Block,
            "Kexec is switched off until the next boot",
            "Look for kernel.kexec_load_disabled in /etc/sysctl.d, remove it, and reboot",
        ),
        Kexec::NotBuilt => Finding::new(
            subject,
            Block,
            "This kernel cannot start another one",
            "Install a kernel with CONFIG_KEXEC_FILE, as all big distributions have it",
        ),
    }
}

fn kernel(kernel: &Result<(), String>) -> Finding {
    match kernel {
        Ok(()) => Finding::ok(Subject::Kernel, "Kernel and initramfs were found"),
        Err(missing) => Finding::new(
            Subject::Kernel,
            Verdict::Block,
            sentence(missing),
            "Reboot if the kernel was just upgraded; else reinstall the kernel's package",
        ),
    }
}

fn disk(disk: &Result<String, String>) -> Finding {
    match disk {
        Ok(model) => Finding::ok(Subject::Disk, format!("The system runs from {model}")),
        Err(why) => Finding::new(
            Subject::Disk,
            Verdict::Block,
            sentence(why),
            "Only a system that runs from one local disk can be lent",
        ),
    }
}

/// A reason, with a capital at its beginning like all findings.
fn sentence(reason: &str) -> String {
    let mut chars = reason.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn pairing(paired: bool) -> Finding {
    if paired {
        return Finding::ok(Subject::Pairing, "There is a paired machine");
    }
    Finding::new(
        Subject::Pairing,
        Verdict::Block,
        "No machine is paired",
        "Run: stiefelctl pair NAME",
    )
}

fn link(link: &LinkFact) -> Finding {
    match link {
        LinkFact::AnyWired => Finding::ok(Subject::Link, "All wired interfaces are used"),
        LinkFact::Present(name) => {
            Finding::ok(Subject::Link, format!("The stiefellink {name} is there"))
        }
        LinkFact::Gone { name, needed } => Finding::new(
            Subject::Link,
            if *needed {
                Verdict::Block
            } else {
                Verdict::Warn
            },
            format!("The stiefellink {name} is not there"),
            "Plug it in, or change [link] in /etc/stiefelsystem",
        ),
    }
}

fn power(power: Power) -> Finding {
    let subject = Subject::Power;
    let Some(percent) = power.battery_percent else {
        return Finding::ok(subject, "This machine has no battery");
    };
    if power.on_mains {
        return Finding::ok(subject, format!("On mains, battery at {percent:.0} %"));
    }
    if percent < power.threshold_percent {
        return Finding::new(
            subject,
            Verdict::Block,
            format!(
                "On battery at {percent:.0} %, less than the {:.0} % that a loan needs",
                power.threshold_percent
            ),
            "Plug the charger in",
        );
    }
    Finding::new(
        subject,
        Verdict::Warn,
        format!("On battery at {percent:.0} %"),
        "Plug the charger in: a loan ends badly when the battery is empty",
    )
}

fn inhibitors(inhibitors: &[Inhibitor]) -> Vec<Finding> {
    if inhibitors.is_empty() {
        return vec![Finding::ok(
            Subject::Inhibitor,
            "No program forbids to shut down",
        )];
    }
    inhibitors
        .iter()
        .map(|Inhibitor { who, why }| {
            Finding::new(
                Subject::Inhibitor,
                Verdict::Block,
                format!("{who} forbids to shut down: {why}"),
                format!("Wait until {who} is done, or close it"),
            )
        })
        .collect()
}

fn configuration(mistakes: &[String]) -> Vec<Finding> {
    if mistakes.is_empty() {
        return vec![Finding::ok(
            Subject::Configuration,
            "The configuration was understood",
        )];
    }
    mistakes
        .iter()
        .map(|mistake| {
            Finding::new(
                Subject::Configuration,
                Verdict::Warn,
                format!("Not understood: {mistake}"),
                "Correct the file; everything else in it holds",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
