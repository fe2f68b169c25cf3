//! From facts to findings.

use super::{
    BatteryWarning, Cable, Facts, Finding, ImageState, Inhibitor, Kexec, LinkFact, OnBattery,
    Power, Subject, Verdict, sentence, system,
};

/// Below this, a disk over the cable is slower than people bear; Mbit/s.
const FAST_MBPS: u32 = 1000;

/// Looks at everything. There is at least one finding about each subject,
/// in the order of [`Subject`].
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![
        image(facts.image),
        kexec(facts.kexec),
        kernel(&facts.kernel),
    ];
    findings.extend(drivers(&facts.missing_drivers));
    findings.push(disk(&facts.disk));
    findings.extend(system::names(&facts.system.named));
    findings.extend(system::unlock(&facts.system.unlocking));
    findings.push(system::hibernation(facts.system.hibernated.as_deref()));
    findings.extend([pairing(facts.paired), link(&facts.link), power(facts.power)]);
    findings.push(session(&facts.users));
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
        Kexec::Unsigned => Finding::new(
            subject,
            Block,
            "Secure Boot lets only signed kernels start, and the installed one is not signed",
            "Install your distribution's signed kernel, or sign this one",
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
    let subject = Subject::Link;
    match link {
        LinkFact::AnyWired => Finding::ok(subject, "All wired interfaces are used"),
        LinkFact::Present { name, cable } => match *cable {
            Cable::Loose => Finding::new(
                subject,
                Verdict::Warn,
                format!("Nothing answers at the other end of the stiefellink {name}"),
                "Plug its cable in at both ends, and switch the other machine on",
            ),
            Cable::Connected(speed) if speed > 0 && speed < FAST_MBPS => Finding::new(
                subject,
                Verdict::Warn,
                format!("The stiefellink {name} runs at {speed} Mbit/s only"),
                "Take a cable of category 5e or better; a lent disk needs 1000 Mbit/s",
            ),
            Cable::Unknown | Cable::Connected(_) => {
                Finding::ok(subject, format!("The stiefellink {name} is there"))
            }
        },
        LinkFact::Gone { name, needed } => Finding::new(
            subject,
            if *needed {
                Verdict::Block
            } else {
                Verdict::Warn
            },
            format!("The stiefellink {name} is not there"),
            "Plug it in, or change its policy or [link] in /etc/stiefelsystem",
        ),
        LinkFact::Disputed { trouble } => Finding::new(
            subject,
            Verdict::Warn,
            sentence(trouble),
            "Look into the log of that service; the stiefellink may be configured by it",
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
    let urgent = power.warning >= BatteryWarning::Critical;
    let little = percent < power.threshold_percent || urgent;
    let verdict = match (power.on_battery, little) {
        (OnBattery::Refuse, _) | (OnBattery::Warn, true) => Verdict::Block,
        (OnBattery::Warn, false) | (OnBattery::Allow, true) => Verdict::Warn,
        (OnBattery::Allow, false) => Verdict::Ok,
    };
    let mut text = format!("On battery at {percent:.0} %");
    match power.on_battery {
        OnBattery::Refuse => text += ", and lending on battery is switched off",
        OnBattery::Warn | OnBattery::Allow if urgent => text += ", which is nearly empty",
        OnBattery::Warn | OnBattery::Allow if little => {
            text += &format!(
                ", less than the {:.0} % that a loan needs",
                power.threshold_percent
            );
        }
        OnBattery::Warn | OnBattery::Allow => {}
    }
    match verdict {
        Verdict::Ok => Finding::ok(subject, text),
        Verdict::Block => Finding::new(subject, verdict, text, "Plug the charger in"),
        Verdict::Warn => Finding::new(
            subject,
            verdict,
            text,
            "Plug the charger in: a loan ends badly when the battery is empty",
        ),
    }
}

fn drivers(missing: &[String]) -> Vec<Finding> {
    if missing.is_empty() {
        return vec![Finding::ok(
            Subject::Driver,
            "The ramdisk has the drivers of all wired interfaces",
        )];
    }
    let told = |driver: &String| {
        Finding::new(
            Subject::Driver,
            Verdict::Warn,
            format!("The ramdisk lacks the driver {driver} of a wired interface"),
            "Install the kernel's package as a whole, then run: stiefelctl update",
        )
    };
    missing.iter().map(told).collect()
}

/// The one who lends is one of them; it is about the others.
fn session(users: &[String]) -> Finding {
    match users {
        [] | [_] => Finding::ok(Subject::Session, "Nobody else is logged in"),
        several => Finding::new(
            Subject::Session,
            Verdict::Warn,
            format!("Several people are logged in: {}", several.join(", ")),
            "Ask them to save their work; a hand-off ends their sessions",
        ),
    }
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
