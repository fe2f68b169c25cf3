//! Which deeds are found by which words.

use crate::deeds::Deed;
use gettextrs::gettext;

/// Ids of all deeds in which every word is found, most wanted first.
#[must_use]
pub fn found(deeds: &[Deed], terms: &[String]) -> Vec<String> {
    // Translators: Other words by which lending a disk is searched for, in
    // lower case, with semicolons between them
    let others = gettext("lend;borrow;disk;drive;boot;stick;cable;target mode");
    let terms: Vec<String> = terms.iter().map(|term| term.to_lowercase()).collect();
    let is_found = |deed: &&Deed| {
        let text = format!("{};{};{};{others}", deed.action, deed.label, deed.about).to_lowercase();
        !terms.is_empty() && terms.iter().all(|term| text.contains(term))
    };
    deeds.iter().filter(is_found).map(id).collect()
}

/// The deeds of these ids; those that cannot be asked for any more are left out.
#[must_use]
pub fn chosen<'a>(deeds: &'a [Deed], ids: &[String]) -> Vec<&'a Deed> {
    ids.iter()
        .filter_map(|wanted| deeds.iter().find(|deed| id(deed) == *wanted))
        .collect()
}

/// The name by which the shell asks for it again.
#[must_use]
pub fn id(deed: &Deed) -> String {
    match &deed.target {
        Some(target) => format!("{}:{target}", deed.action),
        None => deed.action.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deeds::deeds;
    use crate::samples;

    fn search(words: &str) -> Vec<String> {
        let terms: Vec<String> = words.split(' ').map(str::to_owned).collect();
        found(&deeds(&samples::armed()), &terms)
    }

    #[test]
    fn every_word_has_to_be_found() {
        let all = ["lend-to:/org/stiefelsystem/Stiefel1/pairings", "disarm"];
        assert_eq!(search("DISK"), all);
        assert_eq!(search("disarm"), ["disarm"]);
        assert_eq!(search("disk hand"), all[..1]);
        assert_eq!(search("disk elephant"), [""; 0]);
        assert_eq!(found(&deeds(&samples::armed()), &[]), [""; 0]);
    }

    #[test]
    fn what_is_over_is_not_chosen() {
        let deeds = deeds(&samples::armed());
        let ids = found(&deeds, &["disk".into()]);
        assert_eq!(chosen(&deeds, &ids).len(), 2);
        assert_eq!(chosen(&deeds[1..], &ids).len(), 1);
        assert!(chosen(&[], &ids).is_empty());
    }
}
