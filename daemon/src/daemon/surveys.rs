//! Looks at the machine: one at a time, and a later one for who asks during one.

use super::Daemon;
use crate::config;
use crate::request::{Answer, Refused, Reply};
use crate::world::{Survey, Trouble};

impl Daemon {
    pub(super) fn surveyed(&mut self, survey: Result<Box<Survey>, Trouble>) {
        let answer = match survey {
            Ok(survey) => {
                self.survey = *survey;
                Ok(())
            }
            Err(trouble) => Err(Refused::Failed(trouble)),
        };
        for reply in self.refreshing.drain(..) {
            let answer = answer.clone().map(|()| Answer::Done);
            self.outbox.replies.push((reply, answer));
        }
        self.surveying = false;
        // The one that has just ended may have begun before they asked.
        if std::mem::take(&mut self.survey_again) {
            self.refreshing = std::mem::take(&mut self.refreshing_next);
            self.start_survey();
        }
    }

    fn start_survey(&mut self) {
        self.surveying = true;
        self.outbox.survey = true;
    }

    pub(super) fn refresh(&mut self, reply: Option<Reply>) {
        (self.config, self.config_mistakes) = config::load(&self.folder);
        self.settings.rule(&mut self.config);
        if self.surveying {
            self.refreshing_next.extend(reply);
            self.survey_again = true;
        } else {
            self.refreshing.extend(reply);
            self.start_survey();
        }
    }
}
