//! Verdict tables as JavaScript sees them.
//!
//! In: the bytes of an image, and questions as numbers and typed arrays. Out:
//! answers of 16 bytes each, as two numbers or as the bytes of an array.

use netverdict_table::{Answer, Direction, Image, Question};
use wasm_bindgen::prelude::wasm_bindgen;

/// A checked image.
#[wasm_bindgen]
#[derive(Debug)]
pub struct RawTable {
    image: Image,
}

/// The direction by its number: 0 ingress, else egress.
const fn direction(number: u8) -> Direction {
    match number {
        0 => Direction::Ingress,
        _ => Direction::Egress,
    }
}

#[wasm_bindgen]
impl RawTable {
    /// Checks an image.
    ///
    /// # Errors
    /// What is wrong with it.
    #[wasm_bindgen(constructor)]
    pub fn new(image: Vec<u8>) -> Result<Self, String> {
        let image = Image::new(image).map_err(|e| e.to_string())?;
        Ok(Self { image })
    }

    /// How many subjects it has room for.
    pub fn subjects(&self) -> u32 {
        self.image.view().subjects()
    }

    /// The subject of an endpoint's number.
    pub fn subject_of_endpoint(&self, endpoint: u32) -> Option<u32> {
        self.image.view().subject_of_endpoint(endpoint)
    }

    /// The subject of an identity.
    pub fn subject_of_identity(&self, identity: u32) -> Option<u32> {
        self.image.view().subject_of_identity(identity)
    }

    /// Its bytes.
    pub fn image(&self) -> Vec<u8> {
        self.image.view().image().to_vec()
    }

    /// Answers questions given as columns; into `answers` go 16 bytes for each.
    /// What has no partner in every column is left out.
    pub fn batch(
        &self,
        subjects: &[u32],
        directions: &[u8],
        identities: &[u32],
        protocols: &[u8],
        ports: &[u16],
        answers: &mut [u8],
    ) {
        let view = self.image.view();
        let (answers, _) = answers.as_chunks_mut::<16>();
        let columns = subjects.iter().zip(directions).zip(identities);
        let columns = columns.zip(protocols).zip(ports).zip(answers);
        for (((((subject, way), identity), protocol), port), answer) in columns {
            let question = Question::new(*subject, direction(*way), *identity, *protocol, *port);
            let found = view.verdict(&question).unwrap_or(Answer::DROP);
            *answer = found.to_bytes();
        }
    }
}
