//! Decompressing under a cap that is checked while the bytes come out, never after.

use std::{cell::RefCell, io::Read};

use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::zstd_safe::{self, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::{Codec, CodecError, Inflated};
use crate::batch::Exhausted;

/// Largest honest ratio of plain to compressed bytes. Telemetry reaches 3 to 30, generated load up
/// to 100; gzip itself could do 1032, which is what bombs use.
const RATIO_MAX: u64 = 200;

/// Plain bytes up to which the ratio is not looked at: small bodies may be very regular.
const RATIO_FREE_BYTES: u64 = 1 << 20;

/// Base-two logarithm of the largest zstd window: 8 MiB, what RFC 8878 asks every decoder to have.
/// A frame may ask for gigabytes before its first byte comes out.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Base-two logarithm of the deflate window: the format's largest.
const DEFLATE_WINDOW_LOG: u8 = 15;

/// First guess of the ratio where the body does not say how long it becomes.
const RATIO_GUESS: u64 = 4;

/// Smallest first buffer, so that tiny bodies do not grow it step by step.
const BUFFER_MIN: u64 = 512;

thread_local! {
    static GZIP: RefCell<Decompress> = RefCell::new(Decompress::new_gzip(DEFLATE_WINDOW_LOG));
    static ZLIB: RefCell<Decompress> = RefCell::new(Decompress::new(true));
    static ZSTD: RefCell<DCtx<'static>> = RefCell::new(zstd_context());
}

type Admit<'a> = &'a mut dyn FnMut(u64) -> Result<(), Exhausted>;

pub(super) fn inflate(
    codec: Codec,
    body: &Bytes,
    limit: u64,
    admit: Admit<'_>,
) -> Result<Inflated, CodecError> {
    if codec == Codec::Identity {
        let fits = body.len() as u64 <= limit;
        let plain = Inflated {
            bytes: body.clone(),
            members: 1,
        };
        return if fits {
            Ok(plain)
        } else {
            Err(CodecError::TooLarge { limit })
        };
    }
    let mut output = Output::new(codec, body.len() as u64, limit, admit);
    let members = match codec {
        Codec::Gzip => GZIP.with_borrow_mut(|context| gzip(context, body, &mut output)),
        Codec::Deflate => ZLIB.with_borrow_mut(|context| zlib(context, body, &mut output)),
        Codec::Zstd => ZSTD.with_borrow_mut(|context| zstd(context, body, &mut output)),
        Codec::Snappy => snappy(body, &mut output),
        Codec::SnappyFramed => output
            .read_all(snap::read::FrameDecoder::new(&body[..]))
            .map(|()| 1),
        Codec::Lz4 => lz4(body, &mut output),
        Codec::Identity => Ok(1),
    }?;
    Ok(Inflated {
        bytes: output.bytes.into(),
        members,
    })
}

// === the output ===

/// Plain bytes as they come out. The buffer may have one byte more than the cap: a decoder that
/// fills it has gone too far, and one that has not is known to be at its end.
struct Output<'a> {
    codec: Codec,
    bytes: Vec<u8>,
    guess: u64,
    cap: u64,
    admit: Admit<'a>,
}

impl<'a> Output<'a> {
    fn new(codec: Codec, packed: u64, limit: u64, admit: Admit<'a>) -> Self {
        let cap = limit.min(packed.saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES));
        let guess = packed.saturating_mul(RATIO_GUESS);
        Self {
            codec,
            bytes: Vec::new(),
            guess,
            cap,
            admit,
        }
    }

    /// Notes how long the body says it becomes. Nothing is believed beyond the cap.
    fn expect(&mut self, length: u64) -> Result<(), CodecError> {
        self.guess = length;
        if length > self.cap {
            Err(self.too_large())
        } else {
            Ok(())
        }
    }

    /// Makes sure that at least one more byte can be written.
    fn make_room(&mut self) -> Result<(), CodecError> {
        if self.bytes.len() as u64 > self.cap {
            return Err(self.too_large());
        }
        let capacity = self.bytes.capacity() as u64;
        if (self.bytes.len() as u64) < capacity {
            return Ok(());
        }
        let wanted = if capacity == 0 {
            self.guess.max(BUFFER_MIN)
        } else {
            capacity * 2
        };
        let wanted = wanted.min(self.cap) + 1;
        (self.admit)(wanted - capacity)?;
        let additional = usize::try_from(wanted).map_err(|_| self.too_large())? - self.bytes.len();
        self.bytes.reserve_exact(additional);
        Ok(())
    }

    /// Takes everything that a reader gives.
    fn read_all(&mut self, mut reader: impl Read) -> Result<(), CodecError> {
        // The buffer is filled with zeros once for each growth, not once for each read: a reader
        // that gives single bytes must not make this quadratic.
        let mut filled = 0;
        loop {
            if filled == self.bytes.len() {
                self.make_room()?;
                self.bytes.resize(self.bytes.capacity(), 0);
            }
            match reader.read(&mut self.bytes[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(_) => return Err(self.corrupt("it is truncated or damaged")),
            }
            if filled as u64 > self.cap {
                return Err(self.too_large());
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }

    fn corrupt(&self, reason: &'static str) -> CodecError {
        CodecError::Corrupt {
            codec: self.codec,
            reason,
        }
    }

    fn too_large(&self) -> CodecError {
        CodecError::TooLarge { limit: self.cap }
    }
}

// === gzip and zlib ===

fn gzip(context: &mut Decompress, body: &[u8], out: &mut Output<'_>) -> Result<u32, CodecError> {
    // The last four bytes are the plain length of the last member: a hint, and nothing more.
    if let Some(length) = body.last_chunk().map(|bytes| u32::from_le_bytes(*bytes)) {
        out.guess = u64::from(length).max(BUFFER_MIN);
    }
    let (mut rest, mut members) = (body, 0);
    loop {
        rest = deflate_member(context, rest, out)?;
        members += 1;
        if rest.is_empty() {
            return Ok(members);
        }
        if !rest.starts_with(b"\x1f\x8b") {
            return Err(out.corrupt("other bytes follow its end"));
        }
    }
}

fn zlib(context: &mut Decompress, body: &[u8], out: &mut Output<'_>) -> Result<u32, CodecError> {
    let rest = deflate_member(context, body, out)?;
    if rest.is_empty() {
        Ok(1)
    } else {
        Err(out.corrupt("other bytes follow its end"))
    }
}

/// Inflates one stream and gives what lies behind it.
fn deflate_member<'a>(
    context: &mut Decompress,
    body: &'a [u8],
    out: &mut Output<'_>,
) -> Result<&'a [u8], CodecError> {
    context.reset(true);
    loop {
        out.make_room()?;
        let (read, written) = (context.total_in(), out.bytes.len());
        let rest = remaining(body, read);
        let status = context
            .decompress_vec(rest, &mut out.bytes, FlushDecompress::None)
            .map_err(|_| out.corrupt("it is damaged"))?;
        if out.bytes.len() as u64 > out.cap {
            return Err(out.too_large());
        }
        match status {
            Status::StreamEnd => return Ok(remaining(body, context.total_in())),
            Status::Ok | Status::BufError => {
                if context.total_in() == read && out.bytes.len() == written {
                    return Err(out.corrupt("it is truncated"));
                }
            }
        }
    }
}

fn remaining(body: &[u8], read: u64) -> &[u8] {
    &body[usize::try_from(read).map_or(body.len(), |read| read.min(body.len()))..]
}

// === zstd ===

fn zstd_context() -> DCtx<'static> {
    let mut context = DCtx::create();
    context
        .set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))
        .expect("the window is within zstd's bounds");
    context
}

fn zstd(context: &mut DCtx<'_>, body: &[u8], out: &mut Output<'_>) -> Result<u32, CodecError> {
    let failed = |out: &Output<'_>| out.corrupt("it is damaged or needs too large a window");
    context
        .reset(ResetDirective::SessionOnly)
        .map_err(|_| failed(out))?;
    match zstd_safe::get_frame_content_size(body) {
        Ok(Some(length)) => out.expect(length)?,
        Ok(None) => {}
        Err(_) => return Err(out.corrupt("it has no zstd header")),
    }
    let mut input = InBuffer::around(body);
    let mut members = 0;
    loop {
        out.make_room()?;
        let (read, written) = (input.pos(), out.bytes.len());
        let mut buffer = OutBuffer::around_pos(&mut out.bytes, written);
        let hint = context.decompress_stream(&mut buffer, &mut input);
        let hint = hint.map_err(|_| failed(out))?;
        if out.bytes.len() as u64 > out.cap {
            return Err(out.too_large());
        }
        if hint == 0 {
            members += 1;
            if input.pos() == body.len() {
                return Ok(members);
            }
        } else if input.pos() == read && out.bytes.len() == written {
            return Err(out.corrupt("it is truncated"));
        }
    }
}

// === snappy and lz4 ===

fn snappy(body: &[u8], out: &mut Output<'_>) -> Result<u32, CodecError> {
    let length = snap::raw::decompress_len(body).map_err(|_| out.corrupt("it has no length"))?;
    out.expect(length as u64)?;
    (out.admit)(length as u64)?;
    out.bytes = vec![0; length];
    match snap::raw::Decoder::new().decompress(body, &mut out.bytes) {
        Ok(written) if written == length => Ok(1),
        Ok(_) | Err(_) => Err(out.corrupt("it is truncated or damaged")),
    }
}

fn lz4(body: &[u8], out: &mut Output<'_>) -> Result<u32, CodecError> {
    // The decoder takes the end of its input for the end of a frame, so frames are walked first.
    let (mut rest, mut members) = (body, 0);
    loop {
        rest = lz4_frame(rest).map_err(|reason| out.corrupt(reason))?;
        members += 1;
        if rest.is_empty() {
            break;
        }
    }
    let mut frames = Lz4Frames {
        decoder: lz4_flex::frame::FrameDecoder::new(body),
        left: members,
    };
    out.read_all(&mut frames)?;
    Ok(members)
}

/// Frames one behind the other: the decoder gives 0 at the end of each.
struct Lz4Frames<'a> {
    decoder: lz4_flex::frame::FrameDecoder<&'a [u8]>,
    left: u32,
}

impl Read for Lz4Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.left > 0 {
            let read = self.decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.left -= 1;
        }
        Ok(0)
    }
}

/// Steps over one LZ4 frame, from block to block, and gives what lies behind it.
fn lz4_frame(body: &[u8]) -> Result<&[u8], &'static str> {
    const MAGIC: &[u8] = &[0x04, 0x22, 0x4d, 0x18];
    const TRUNCATED: &str = "it is truncated";
    let descriptor = body
        .strip_prefix(MAGIC)
        .ok_or("it has no lz4 frame header")?;
    let flags = *descriptor.first().ok_or(TRUNCATED)?;
    let has = |bit: u8| usize::from(flags >> bit & 1);
    // Flags, block size, content size, dictionary id, header checksum.
    let header = 2 + 8 * has(3) + 4 * has(0) + 1;
    let mut rest = descriptor.get(header..).ok_or(TRUNCATED)?;
    loop {
        let (size, blocks) = rest.split_first_chunk().ok_or(TRUNCATED)?;
        // The top bit says that the block is stored as it is.
        let size = u32::from_le_bytes(*size) & (u32::MAX >> 1);
        if size == 0 {
            return blocks.get(4 * has(2)..).ok_or(TRUNCATED);
        }
        let size = usize::try_from(size).map_err(|_| TRUNCATED)?;
        rest = blocks.get(size + 4 * has(4)..).ok_or(TRUNCATED)?;
    }
}
