//! `System.Random`: the subtractive generator, the same numbers for the same seed as on every .NET.

use crate::call::Call;
use crate::fault::{Fault, out_of_range};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::value::{Object, Value, lock};
use std::sync::Mutex;

const MAX: i32 = i32::MAX;

/// The state of a generator.
pub struct Random {
    seeds: [i32; 56],
    first: usize,
    second: usize,
}

impl Random {
    fn new(seed: i32) -> Self {
        let mut seeds = [0i32; 56];
        let mut previous = 161_803_398i32.wrapping_sub(seed.saturating_abs());
        let mut next = 1i32;
        seeds[55] = previous;
        for step in 1..55 {
            let at = 21 * step % 55;
            seeds[at] = next;
            next = previous.wrapping_sub(next);
            if next < 0 {
                next = next.wrapping_add(MAX);
            }
            previous = seeds[at];
        }
        for _ in 0..4 {
            for at in 1..56 {
                seeds[at] = seeds[at].wrapping_sub(seeds[1 + (at + 30) % 55]);
                if seeds[at] < 0 {
                    seeds[at] = seeds[at].wrapping_add(MAX);
                }
            }
        }
        Self { seeds, first: 0, second: 21 }
    }

    fn sample(&mut self) -> i32 {
        self.first = self.first % 55 + 1;
        self.second = self.second % 55 + 1;
        let mut number = self.seeds[self.first].wrapping_sub(self.seeds[self.second]);
        if number == MAX {
            number -= 1;
        }
        if number < 0 {
            number = number.wrapping_add(MAX);
        }
        self.seeds[self.first] = number;
        number
    }
}

fn create(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut seed = [0; 4];
    call.host.random(&mut seed);
    let seed = if call.count() > 0 { call.int(0)? as i32 } else { i32::from_le_bytes(seed) };
    Ok(Value::object(Object::Random(Mutex::new(Random::new(seed)))))
}

fn sample(call: &Call<'_>) -> Result<i32, Fault> {
    match &*call.object(0)? {
        Object::Random(random) => Ok(lock(random).sample()),
        _ => Err(call.missing(0)),
    }
}

fn next(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (low, high) = match call.count() {
        1 => return Ok(Value::int(sample(call)?)),
        2 => (0, call.int(1)?),
        _ => (call.int(1)?, call.int(2)?),
    };
    if low > high {
        return Err(out_of_range("minValue", "'minValue' cannot be greater than maxValue."));
    }
    let part = f64::from(sample(call)?) * (1.0 / f64::from(MAX));
    Ok(Value::int((low + (part * (high - low) as f64) as i64) as i32))
}

fn next_double(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Double(f64::from(sample(call)?) * (1.0 / f64::from(MAX))))
}

fn next_bytes(call: &mut Call<'_>) -> Result<Value, Fault> {
    let object = call.object(1)?;
    if let Object::Bytes(bytes) = &*object {
        let count = lock(bytes).len();
        let drawn = (0..count).map(|_| Ok((sample(call)? % 256) as u8)).collect::<Result<Vec<_>, Fault>>()?;
        *lock(bytes) = drawn;
    }
    Ok(Value::Null)
}

pub(super) const TYPES: &[TypeDef] = &[TypeDef {
    name: "Random",
    rows: &[
        Row("new(); new(int Seed)", create),
        Row("int Next(); int Next(int maxValue); int Next(int minValue, int maxValue)", next),
        Row("double NextDouble()", next_double),
        Row("void NextBytes(byte[] buffer)", next_bytes),
    ],
    ..PLAIN
}];
