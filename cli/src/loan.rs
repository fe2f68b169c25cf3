//! `stiefelctl loan`, `give-back`: on a system that runs from a lent disk.

use crate::ask::{Consent, consent};
use crate::checks::one;
use crate::client::Client;
use crate::facts::{Power, Properties};
use crate::human::{ago, bytes, lasting, seconds_until, speed};
use crate::output::{
    BAD, CARE, Cell, GOOD, HEAD, Output, PLAIN, Table, clean, json, json_line, say,
};
use anstyle::Style;
use anyhow::bail;
use clap::Args;
use futures_util::StreamExt;
use serde::Serialize;
use stiefel_dbus::names;
use stiefel_dbus::proxy::LoanProxy;
use stiefel_dbus::words::{Cable, DiskHealth, Ending, LoanState, Severity};
use zbus::fdo;

/// How to look at it.
#[derive(Args, Clone, Copy)]
pub struct LoanArgs {
    /// Measure each second, and tell what moves until interrupted
    #[arg(long, short)]
    watch: bool,
    #[command(flatten)]
    output: Output,
}

/// How to give back.
#[derive(Args, Clone, Copy)]
pub struct GiveBackArgs {
    /// Shut down although another program forbids it
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    consent: Consent,
}

/// The lent disk that this system runs from.
#[derive(Serialize)]
pub struct Loan {
    state: String,
    detail: String,
    lender: String,
    since_usec: u64,
    frozen_since_usec: u64,
    frozen_until_usec: u64,
    cable: String,
    link_speed_mbps: u32,
    latency_usec: u64,
    rx_bytes: u64,
    tx_bytes: u64,
    rx_bytes_per_sec: u64,
    tx_bytes_per_sec: u64,
    power: Power,
    temperature: f64,
    disk_health: String,
    disk_detail: String,
    disk_temperature: f64,
    warnings: Vec<Warning>,
    ending: String,
    ends_usec: u64,
}

#[derive(Serialize)]
struct Warning {
    subject: String,
    verdict: String,
    text: String,
    hint: String,
}

impl From<&Properties> for Loan {
    fn from(facts: &Properties) -> Self {
        let warnings: Vec<(String, String, String, String)> = facts.get("Warnings");
        let warnings = warnings.into_iter();
        Self {
            state: facts.get("State"),
            detail: facts.get("Detail"),
            lender: facts.get("Lender"),
            since_usec: facts.get("SinceUsec"),
            frozen_since_usec: facts.get("FrozenSinceUsec"),
            frozen_until_usec: facts.get("FrozenUntilUsec"),
            cable: facts.get("Cable"),
            link_speed_mbps: facts.get("LinkSpeedMbps"),
            latency_usec: facts.get("LatencyUsec"),
            rx_bytes: facts.get("RxBytes"),
            tx_bytes: facts.get("TxBytes"),
            rx_bytes_per_sec: facts.get("RxBytesPerSec"),
            tx_bytes_per_sec: facts.get("TxBytesPerSec"),
            power: Power::from(facts),
            temperature: facts.get("Temperature"),
            disk_health: facts.get("DiskHealth"),
            disk_detail: facts.get("DiskDetail"),
            disk_temperature: facts.get("DiskTemperature"),
            warnings: warnings
                .map(|(subject, verdict, text, hint)| Warning {
                    subject,
                    verdict,
                    text,
                    hint,
                })
                .collect(),
            ending: facts.get("Ending"),
            ends_usec: facts.get("EndsUsec"),
        }
    }
}

/// Shows it, once or all the time.
pub async fn show(client: &Client, args: LoanArgs) -> anyhow::Result<()> {
    if args.watch {
        return watch(client, args.output).await;
    }
    let loan = read(client).await?;
    match args.output.json {
        true => json(&loan),
        false => loan.print(),
    }
}

/// Asks the daemon for it.
pub async fn read(client: &Client) -> anyhow::Result<Loan> {
    match client.properties(names::LOAN).await {
        Ok(facts) => Ok(Loan::from(&facts)),
        Err(error) if is_unknown(&error) => {
            bail!("this system runs from its own disk; stiefelctl status shows what is lent")
        }
        Err(error) => Err(error),
    }
}

fn is_unknown(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(fdo::Error::UnknownInterface(_) | fdo::Error::InvalidArgs(_))
    )
}

async fn watch(client: &Client, output: Output) -> anyhow::Result<()> {
    let loan = read(client).await?;
    let proxy = LoanProxy::new(&client.bus).await?;
    let properties = fdo::PropertiesProxy::builder(&client.bus)
        .destination(names::SERVICE)?
        .path(names::ROOT)?
        .build()
        .await?;
    let mut changes = properties.receive_properties_changed().await?;
    proxy.subscribe().await?;
    loan.line(output)?;
    while let Some(change) = changes.next().await {
        if change.args()?.interface_name() == names::LOAN {
            read(client).await?.line(output)?;
        }
    }
    bail!("the bus has gone")
}

/// Shuts this system down, which gives the disk back.
pub async fn give_back(client: &Client, args: GiveBackArgs) -> anyhow::Result<()> {
    let loan = read(client).await?;
    let question = format!(
        "Shut this system down and give the disk back to {}?",
        clean(&loan.lender)
    );
    consent(args.consent, &question)?;
    let mut options = std::collections::HashMap::new();
    if args.force {
        options.insert("force", true.into());
    }
    LoanProxy::new(&client.bus)
        .await?
        .give_back(options)
        .await?;
    say!(
        "This system shuts down, and gives the disk back to {}.",
        clean(&loan.lender)
    );
    Ok(())
}

impl Loan {
    fn style(&self) -> Style {
        match LoanState::from(self.state.as_str()) {
            LoanState::Held | LoanState::Unknown(_) => GOOD,
            LoanState::Closing => CARE,
            LoanState::Frozen | LoanState::Lost => BAD,
        }
    }

    /// Prints all of it.
    pub fn print(&self) -> anyhow::Result<()> {
        let style = self.style();
        say!(
            "This system runs from the disk of {HEAD}{}{HEAD:#}: {style}{}{style:#}",
            clean(&self.lender),
            clean(&self.state)
        );
        for text in [&self.detail, &self.end()]
            .into_iter()
            .filter(|text| !text.is_empty())
        {
            say!("{}", clean(text));
        }
        say!("");
        self.table().print()?;
        if !self.warnings.is_empty() {
            say!("");
        }
        for warning in &self.warnings {
            let (mark, style) = match Severity::from(warning.verdict.as_str()) {
                Severity::Critical => ("NOW ", BAD),
                Severity::Warn | Severity::Unknown(_) => ("note", CARE),
            };
            one(mark, style, &warning.text, &warning.hint)?;
        }
        say!("\nGive it back: stiefelctl give-back, or shut this system down.");
        Ok(())
    }

    fn end(&self) -> String {
        let why = match Ending::from(self.ending.as_str()) {
            Ending::None => return String::new(),
            Ending::Asked | Ending::Unknown(_) => "The lender asks for its disk",
            Ending::LowPower => "The lender's battery is nearly empty",
        };
        match self.ends_usec {
            0 => format!("{why}."),
            at => format!("{why}: this system shuts down in {} s.", seconds_until(at)),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::headless(0);
        let mut row = |head: &str, text: String, style: Style| {
            if !text.is_empty() {
                table.row(vec![Cell::new(head, HEAD), Cell::new(text, style)]);
            }
        };
        if self.since_usec > 0 {
            row("Since", ago(self.since_usec), PLAIN);
        }
        row("Link", self.link(), PLAIN);
        let (read, written) = (bytes(self.rx_bytes), bytes(self.tx_bytes));
        row(
            "Disk",
            format!("{read} read, {written} written{}", self.disk()),
            PLAIN,
        );
        row("Lender", self.lenders_power(), PLAIN);
        table
    }

    fn link(&self) -> String {
        let cable = match Cable::from(self.cable.as_str()) {
            Cable::Connected | Cable::Unknown(_) => "",
            Cable::Unplugged => "unplugged",
            Cable::NoCard => "the network card is gone",
        };
        let latency = match self.latency_usec {
            0 => String::new(),
            usec => format!("{:.1} ms", usec as f64 / 1000.0),
        };
        joined(&[cable, &speed(self.link_speed_mbps), &latency])
    }

    fn disk(&self) -> String {
        match DiskHealth::from(self.disk_health.as_str()) {
            DiskHealth::NotKnown | DiskHealth::Unknown(_) | DiskHealth::Good => String::new(),
            DiskHealth::Worn | DiskHealth::Failing => format!("; {}", self.disk_detail),
        }
    }

    fn lenders_power(&self) -> String {
        let left = match self.power.time_to_empty_usec {
            0 => String::new(),
            usec => format!("{} left", lasting(usec)),
        };
        let temperature = match self.temperature {
            0.0 => String::new(),
            degrees => format!("{degrees:.0} °C"),
        };
        joined(&[&self.power.in_words(), &left, &temperature])
    }

    /// One line of many.
    fn line(&self, output: Output) -> anyhow::Result<()> {
        if output.json {
            return json_line(self);
        }
        let (read, written) = (bytes(self.rx_bytes_per_sec), bytes(self.tx_bytes_per_sec));
        let style = self.style();
        say!(
            "{style}{}{style:#}  read {read}/s, written {written}/s, {}, {}",
            clean(&self.state),
            self.link(),
            self.lenders_power()
        );
        Ok(())
    }
}

fn joined(parts: &[&str]) -> String {
    let there: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    there.join(", ")
}
