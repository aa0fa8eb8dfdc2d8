//! Patients beyond the cast: drawn names on the diseases of someone in the cast.

use rand::{Rng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::cast::{AFRICAN, ANGLO, EASTERN, Edge, LATIN, Role, Sex};

const WOMEN: [&str; 16] = [
    "Adele", "Brigid", "Camille", "Dalia", "Esther", "Freya", "Greta", "Hana", "Ines", "Judith", "Keiko",
    "Leonor", "Maeve", "Nadia", "Opal", "Rosalind",
];
const MEN: [&str; 16] = [
    "Aldo", "Bram", "Cyrus", "Desmond", "Elias", "Felix", "Gideon", "Hector", "Ivan", "Jonas", "Kenji",
    "Leander", "Milo", "Niall", "Oscar", "Rafael",
];
const FAMILIES: [&str; 24] = [
    "Abernathy",
    "Blackwood",
    "Castellan",
    "Dunmore",
    "Eriksen",
    "Falconer",
    "Galloway",
    "Hawthorne",
    "Ibarra",
    "Jankowski",
    "Kimura",
    "Lafontaine",
    "Macready",
    "Nwosu",
    "Okonkwo",
    "Pemberton",
    "Quintero",
    "Rosenthal",
    "Salazar",
    "Thackeray",
    "Underhill",
    "Villanueva",
    "Wetherby",
    "Yoshida",
];

/// A new part with the diseases of a randomly chosen one, give or take some years of age.
pub(super) fn draw(cast: &[Role], rng: &mut ChaCha8Rng) -> Role {
    let ordinary: Vec<&Role> = cast.iter().filter(|role| role.edge == Edge::Nothing).collect();
    let model = ordinary.choose(rng);
    let sex = model.map_or(Sex::Female, |role| role.sex);
    let given = if sex == Sex::Female { WOMEN.choose(rng) } else { MEN.choose(rng) };
    let months = model.map_or(480, |role| role.months);
    // Diseases keep their years since onset, so only small shifts keep age and disease plausible.
    let shift = rng.random_range(0..=(months / 12).min(60));
    Role {
        given: given.copied().unwrap_or_default(),
        family: FAMILIES.choose(rng).copied().unwrap_or_default(),
        sex,
        months: months + shift,
        origin: *[ANGLO, LATIN, AFRICAN, EASTERN].choose(rng).unwrap_or(&ANGLO),
        tobacco: model.map_or(super::cast::Tobacco::Never, |role| role.tobacco),
        edge: Edge::Nothing,
        diseases: model.map_or(&[], |role| role.diseases),
    }
}
