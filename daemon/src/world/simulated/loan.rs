//! A loan as the script says, with numbers that move while somebody watches.

use super::super::loan::{Cable, Health, Hold, LenderNow, Loan, Traffic};
use super::super::{Happening, Reporter};
use super::script::usec_ago;
use std::time::Duration;
use stiefel_core::preflight::BatteryWarning;
use tokio::sync::watch;

/// What the script says of the loan.
#[derive(Debug, Clone)]
pub(super) struct SimulatedLoan {
    pub loan: Loan,
    /// Around what the traffic moves; bytes per second.
    pub rates: (u64, u64),
    /// Whether it moves at all.
    pub moving: bool,
}

impl SimulatedLoan {
    pub(super) fn begin(lender: &str) -> Self {
        let rates = (48_000_000, 6_500_000);
        Self {
            loan: Loan {
                hold: Hold::Held,
                lender: lender.to_owned(),
                since_usec: usec_ago(0),
                cable: Cable::Connected,
                link_speed_mbps: 2500,
                traffic: Traffic {
                    latency_usec: 310,
                    rx_bytes: 2_400_000_000,
                    tx_bytes: 310_000_000,
                    rx_per_sec: rates.0,
                    tx_per_sec: rates.1,
                },
                lender_now: LenderNow {
                    battery_percent: Some(87.0),
                    celsius: Some(51.0),
                    disk: Health::Good,
                    disk_detail: "3 % of its life is used".into(),
                    disk_celsius: Some(44.0),
                    ..LenderNow::default()
                },
                unguarded: false,
                asked: None,
            },
            rates,
            moving: true,
        }
    }

    /// The next second of a wave.
    fn step(&mut self, second: u32) {
        if !self.moving || self.loan.hold != Hold::Held {
            return;
        }
        let wave = |rate: u64, slower: f64| {
            let share = 1.0 + (f64::from(second) / slower).sin();
            // A float that is too large becomes the largest number.
            (rate as f64 * share) as u64
        };
        let traffic = &mut self.loan.traffic;
        traffic.rx_per_sec = wave(self.rates.0, 3.0);
        traffic.tx_per_sec = wave(self.rates.1, 1.7);
        traffic.rx_bytes = traffic.rx_bytes.saturating_add(traffic.rx_per_sec);
        traffic.tx_bytes = traffic.tx_bytes.saturating_add(traffic.tx_per_sec);
        traffic.latency_usec = 250 + wave(60, 2.3);
    }

    /// One command about the loan, without its first word.
    pub(super) fn command(&mut self, words: &[&str]) -> Result<(), String> {
        let loan = &mut self.loan;
        match words {
            ["freeze", more @ ..] => {
                let (cable, left) = match more {
                    [] => ("unplugged", 3600),
                    [cable] => (*cable, 3600),
                    [cable, secs, ..] => (*cable, number(secs)?),
                };
                loan.cable = self::cable(cable)?;
                loan.hold = Hold::Frozen {
                    since_usec: usec_ago(0),
                    until: Some(crate::now().monotonic + Duration::from_secs(left)),
                };
                (loan.traffic.rx_per_sec, loan.traffic.tx_per_sec) = (0, 0);
            }
            ["resume"] => {
                loan.hold = Hold::Held;
                loan.cable = Cable::Connected;
                (loan.traffic.rx_per_sec, loan.traffic.tx_per_sec) = self.rates;
            }
            ["lost"] => loan.hold = Hold::Lost,
            ["since", secs] => loan.since_usec = usec_ago(number(secs)?),
            ["speed", mbps] => loan.link_speed_mbps = mbps.parse().map_err(|_| "no Mbit/s")?,
            ["rate", rx, tx] => {
                self.rates = (number(rx)?, number(tx)?);
                (loan.traffic.rx_per_sec, loan.traffic.tx_per_sec) = self.rates;
            }
            ["latency", usec] => loan.traffic.latency_usec = number(usec)?,
            ["move"] => self.moving = true,
            ["still"] => self.moving = false,
            ["power", percent, source, more @ ..] => {
                let power = super::script::power(percent, source, more)?;
                loan.lender_now.battery_percent = power.battery_percent;
                loan.lender_now.on_mains = power.on_mains;
                loan.lender_now.warning = power.warning;
                loan.lender_now.empty_in_secs = power.empty_in_secs;
            }
            ["temperature", celsius] => loan.lender_now.celsius = celsius.parse().ok(),
            ["disk", health, detail @ ..] => {
                loan.lender_now.disk = match *health {
                    "unknown" => Health::Unknown,
                    "good" => Health::Good,
                    "worn" => Health::Worn,
                    "failing" => Health::Failing,
                    _ => return Err("unknown, good, worn or failing".into()),
                };
                loan.lender_now.disk_detail = detail.join(" ");
            }
            ["ask"] => loan.asked = Some(None),
            ["ask", "no-more"] => loan.asked = None,
            ["ask", secs] => {
                let at = crate::now().monotonic + Duration::from_secs(number(secs)?);
                loan.asked = Some(Some(at));
            }
            _ => return Err("unknown command about a loan; try: help".into()),
        }
        Ok(())
    }
}

fn cable(word: &str) -> Result<Cable, String> {
    match word {
        "connected" => Ok(Cable::Connected),
        "unplugged" => Ok(Cable::Unplugged),
        "no-card" => Ok(Cable::NoCard),
        _ => Err("connected, unplugged or no-card".into()),
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{word} is no number"))
}

pub(super) fn warning(word: &str) -> Result<BatteryWarning, String> {
    match word {
        "none" => Ok(BatteryWarning::None),
        "low" => Ok(BatteryWarning::Low),
        "critical" => Ok(BatteryWarning::Critical),
        "action" => Ok(BatteryWarning::Action),
        _ => Err("none, low, critical or action".into()),
    }
}

/// Moves the numbers, each second that somebody watches them.
pub(super) async fn flow(
    lever: watch::Sender<Option<SimulatedLoan>>,
    mut watched: watch::Receiver<bool>,
    reporter: Reporter,
) {
    let mut second = 0;
    while watched.wait_for(|watched| *watched).await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        second += 1;
        lever.send_modify(|loan| {
            if let Some(loan) = loan {
                loan.step(second);
            }
        });
        let now = lever.borrow().as_ref().map(|loan| loan.loan.clone());
        if let Some(loan) = now
            && reporter
                .send(Happening::Loan(Box::new(loan)))
                .await
                .is_err()
        {
            return;
        }
    }
}
