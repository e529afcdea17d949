//! Training, in candle's floating point. It can be stopped and continued; its state is a file.

use super::{
    network::{Layer, FACTOR, LAYERS, SUBTRACT},
    random::Random,
    scene::{scene, Fonts},
    severity::severities,
    zone::zone,
};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor, Var, D};
use std::{collections::HashMap, path::Path, time::Instant};
use ve_ml_mrz::{
    image::{Corner, Grid, Quad, Strip, CELL, PITCH},
    text::{Format, Symbol, SYMBOLS},
};

/// Seed of the pictures that are trained on. Measurements use others.
pub const SEED: u64 = 1;
/// Pictures of a round; their cells are mixed.
const PICTURES: u64 = 8;
/// Cells of a step.
const BATCH: usize = 96;
/// Largest and smallest rate of learning.
const RATE: [f64; 2] = [2.5e-3, 2e-5];
/// Rounds over which the rate rises.
const WARM: f64 = 8.0;
/// Adam's decay of the two moments (Kingma and Ba, 2015).
const DECAY: [f64; 2] = [0.9, 0.999];
/// Rounds between two states on disk.
const SAVED: u64 = 20;

/// Of so many fillers one is trained on: they fill half of a zone and are the easiest symbol.
const FILLERS: i64 = 4;
/// How far a cell that the search found may be from where it is, in 1/256 of a pixel of a strip. With the corners' own
/// displacement that is less than half a cell, so that a cell never has its neighbour's class.
const NEAR: i64 = 256 * PITCH / 3;

/// Cells and what they show.
pub struct Cells {
    /// Pixels of all cells.
    pub pixels: Vec<u8>,
    /// Classes.
    pub classes: Vec<u32>,
}

/// The cells of pictures, mixed. Reading does not know where a zone lies, it searches: so half of the lines here are cut
/// along the grid that the search finds, from a strip with corners a little out of place, and every cell is displaced.
pub fn cells(fonts: &Fonts, seed: u64, pictures: std::ops::Range<u64>) -> Result<Cells> {
    let mut random = Random::new(seed, pictures.start);
    // Each picture has its own random numbers: threads do not change what is in them.
    let all = std::thread::scope(|scope| {
        let workers: Vec<_> = pictures
            .map(|number| scope.spawn(move || picture(fonts, &mut Random::new(seed, number))))
            .collect();
        let made = workers.into_iter().map(|w| match w.join() {
            Ok(cells) => cells,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        made.collect::<Result<Vec<_>>>()
    })?;
    let mut all = all.concat();
    for i in (1..all.len()).rev() {
        all.swap(i, random.range(0, i as i64) as usize);
    }
    let (pixels, classes): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    Ok(Cells {
        pixels: pixels.concat(),
        classes,
    })
}

/// The cells of one picture, and their classes.
fn picture(fonts: &Fonts, random: &mut Random) -> Result<Vec<(Vec<u8>, u32)>> {
    let severities: Vec<_> = severities()?.into_values().collect();
    let formats = [Format::Td1, Format::Td2, Format::Td3, Format::Td3];
    let lines = zone(*random.pick(&formats), random)?;
    let scene = scene(&lines, random.pick(&severities), fonts, false, random)?;
    let columns = lines.format().layout().columns;
    let quad = displaced(&scene.quad, columns as i64, random);
    let (strip, exact) = Strip::exact(&scene.picture, &quad, columns, &scene.bands)
        .context("a zone lies in its picture")?;
    let grids: Vec<(Grid, Grid)> = exact
        .iter()
        .zip(strip.grids())
        .map(|(exact, found)| (*exact, *random.pick(&[*exact, found])))
        .collect();
    let mut cells = Vec::new();
    for (place, symbol) in lines.symbols().iter().enumerate() {
        if *symbol == Symbol::FILLER && random.range(1, FILLERS) > 1 {
            continue;
        }
        let (exact, chosen) = &grids[place / columns];
        let column = place % columns;
        let [right, down] = [0, 1].map(|i| chosen.middle(column)[i] - exact.middle(column)[i]);
        let grid = if right.abs() < NEAR && down.abs() < NEAR {
            chosen
        } else {
            exact
        };
        let by = [24, 24, 32, 32, 40].map(|by| random.range(-by, by));
        cells.push((strip.cell_moved(grid, column, by), symbol.class() as u32));
    }
    Ok(cells)
}

/// A zone's corners, each moved by up to an eighth of a cell.
fn displaced(quad: &Quad, columns: i64, random: &mut Random) -> Quad {
    let far = quad.sides().0 / columns / 8;
    Quad(quad.0.map(|corner| Corner {
        x: corner.x + random.range(-far, far),
        y: corner.y + random.range(-far, far),
    }))
}

/// One trained tensor with its moments.
struct Parameter {
    name: String,
    value: Var,
    moments: [Tensor; 2],
}

/// A training that goes on.
pub struct Training {
    parameters: Vec<Parameter>,
    /// Rounds that are done.
    pub round: u64,
}

impl Training {
    /// Continues from a state, or begins if there is no such file.
    pub fn open(state: &Path) -> Result<Self> {
        let saved = state
            .exists()
            .then(|| candle_core::safetensors::load(state, &Device::Cpu))
            .transpose()
            .with_context(|| format!("reading {}", state.display()))?;
        let mut random = Random::new(SEED, u64::MAX);
        let mut parameters = Vec::new();
        for layer in &LAYERS {
            let deviation = (2.0 / layer.depth() as f64).sqrt();
            let weights = (0..layer.channels[1] * layer.depth())
                .map(|_| (random.normal(1 << 20) as f64 / f64::from(1 << 20) * deviation) as f32)
                .collect::<Vec<_>>();
            let weights =
                Tensor::from_vec(weights, (layer.channels[1], layer.depth()), &Device::Cpu)?;
            let bias = Tensor::zeros(layer.channels[1], DType::F32, &Device::Cpu)?;
            for (what, begin) in [("weight", weights), ("bias", bias)] {
                let name = format!("{}.{what}", layer.name);
                let zero = begin.zeros_like()?;
                let part = |suffix: &str, begin: &Tensor| match &saved {
                    Some(saved) => saved
                        .get(&format!("{name}{suffix}"))
                        .cloned()
                        .with_context(|| format!("{name}{suffix} is missing in the state")),
                    None => Ok(begin.clone()),
                };
                parameters.push(Parameter {
                    value: Var::from_tensor(&part("", &begin)?)?,
                    moments: [part(".first", &zero)?, part(".second", &zero)?],
                    name,
                });
            }
        }
        let round = match &saved {
            Some(saved) => saved
                .get("round")
                .context("the state has no round")?
                .to_scalar::<i64>()? as u64,
            None => 0,
        };
        Ok(Self { parameters, round })
    }

    /// Trains until so many rounds are done, and writes the state now and then. The checkpoint is the state without what only
    /// training needs.
    pub fn run(&mut self, rounds: u64, state: &Path, checkpoint: &Path) -> Result<()> {
        let fonts = Fonts::new()?;
        let begin = Instant::now();
        let mut step = 0;
        while self.round < rounds {
            let first = self.round * PICTURES;
            let cells = cells(&fonts, SEED, first..first + PICTURES)?;
            let done = self.round as f64 / rounds as f64;
            let rate =
                RATE[1] + (RATE[0] - RATE[1]) * (1.0 + (std::f64::consts::PI * done).cos()) / 2.0;
            let rate = rate * ((self.round + 1) as f64 / WARM).min(1.0);
            let (mut losses, mut steps) = (0.0, 0);
            let batches = cells.classes.chunks_exact(BATCH);
            for (classes, pixels) in batches.zip(cells.pixels.chunks_exact(BATCH * CELL * CELL)) {
                step += 1;
                losses += self.step(classes, pixels, rate)?;
                steps += 1;
            }
            self.round += 1;
            if self.round.is_multiple_of(SAVED) || self.round == rounds {
                self.save(state, checkpoint)?;
                eprintln!(
                    "round {} of {rounds}: loss {:.4}, {step} steps in {} s",
                    self.round,
                    losses / f64::from(steps),
                    begin.elapsed().as_secs()
                );
            }
        }
        Ok(())
    }

    fn step(&mut self, classes: &[u32], pixels: &[u8], rate: f64) -> Result<f64> {
        let x = pixels
            .iter()
            .map(|p| ((f64::from(*p) - SUBTRACT) * FACTOR) as f32)
            .collect();
        let x = Tensor::from_vec(x, (classes.len(), CELL, CELL, 1), &Device::Cpu)?;
        let answers = self.forward(x)?;
        let most = answers.max_keepdim(D::Minus1)?.detach();
        let shifted = answers.broadcast_sub(&most)?;
        let all = shifted.exp()?.sum(D::Minus1)?.log()?;
        let right = Tensor::from_slice(classes, (classes.len(), 1), &Device::Cpu)?;
        let loss = (all - shifted.gather(&right, 1)?.squeeze(1)?)?.mean_all()?;
        let gradients = loss.backward()?;
        // The moments begin at zero and are not corrected for it; the rate rises over the first rounds instead.
        for parameter in &mut self.parameters {
            let gradient = gradients
                .get(&parameter.value)
                .with_context(|| format!("{} has no gradient", parameter.name))?;
            let [first, second] = &parameter.moments;
            let first = ((first * DECAY[0])? + (gradient * (1.0 - DECAY[0]))?)?;
            let second = ((second * DECAY[1])? + (gradient.sqr()? * (1.0 - DECAY[1]))?)?;
            let move_by = (&first / (second.sqrt()? + 1e-6)?)?;
            parameter
                .value
                .set(&(parameter.value.as_tensor() - (move_by * rate)?)?)?;
            parameter.moments = [first.detach(), second.detach()];
        }
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    /// Cells with their channel innermost, as the engine has them, to answers.
    fn forward(&self, mut x: Tensor) -> Result<Tensor> {
        for (layer, parameters) in LAYERS.iter().zip(self.parameters.chunks_exact(2)) {
            x = convolve(layer, &x, &parameters[0].value, &parameters[1].value)?;
        }
        let n = x.dim(0)?;
        Ok(x.reshape((n, SYMBOLS))?)
    }

    fn save(&self, state: &Path, checkpoint: &Path) -> Result<()> {
        let mut tensors = HashMap::new();
        for p in &self.parameters {
            tensors.insert(p.name.clone(), p.value.as_tensor().clone());
        }
        candle_core::safetensors::save(&tensors, checkpoint)?;
        for p in &self.parameters {
            tensors.insert(format!("{}.first", p.name), p.moments[0].clone());
            tensors.insert(format!("{}.second", p.name), p.moments[1].clone());
        }
        tensors.insert(
            "round".into(),
            Tensor::new(self.round as i64, &Device::Cpu)?,
        );
        // Whoever stops us while we write has the last state.
        let next = state.with_extension("next");
        candle_core::safetensors::save(&tensors, &next)?;
        std::fs::rename(&next, state).with_context(|| format!("writing {}", state.display()))
    }
}

/// A convolution as one multiplication of matrices: candle's own has a slow way back.
fn convolve(layer: &Layer, x: &Tensor, weight: &Var, bias: &Var) -> Result<Tensor> {
    let p = layer.padding;
    let x = x.pad_with_zeros(1, p, p)?.pad_with_zeros(2, p, p)?;
    let (n, height, width, _) = x.dims4()?;
    let (h, w) = (height + 1 - layer.kernel, width + 1 - layer.kernel);
    let taps = (0..layer.kernel * layer.kernel)
        .map(|tap| {
            x.narrow(1, tap / layer.kernel, h)?
                .narrow(2, tap % layer.kernel, w)
        })
        .collect::<candle_core::Result<Vec<_>>>()?;
    let rows = Tensor::cat(&taps, 3)?.reshape((n * h * w, layer.depth()))?;
    let to = layer.channels[1];
    let mut out = rows
        .matmul(&weight.as_tensor().t()?)?
        .broadcast_add(bias.as_tensor())?;
    if layer.pooled {
        out = out
            .reshape((n * h / 2, 2, w / 2, 2 * to))?
            .max(1)?
            .reshape((n * h / 2 * (w / 2), 2, to))?
            .max(1)?;
        let out = out.reshape((n, h / 2, w / 2, to))?;
        return Ok(out.relu()?);
    }
    let out = out.reshape((n, h, w, to))?;
    Ok(if layer.rectified { out.relu()? } else { out })
}
