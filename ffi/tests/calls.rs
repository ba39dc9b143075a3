//! Random sequences of calls: nothing panics, and nothing is freed twice.

#[path = "calls/sequence.rs"]
mod sequence;

#[test]
fn no_sequence_of_calls_does_harm() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for length in 0..60 {
        let bytes: Vec<u8> = (0..length * 3)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        // An engine first, or most calls have nothing to be about.
        sequence::run(&[&[0], bytes.as_slice()].concat());
    }
}
