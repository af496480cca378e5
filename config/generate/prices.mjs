#!/usr/bin/env node
// Makes config/prices.json from the npm package @pydantic/genai-prices and known.mjs.
// README.md beside this file says how to run it and what the file it writes means.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import * as known from './known.mjs'
import { fetchPackage } from './package.mjs'
import { SERVICES } from './services.mjs'

const PACKAGE = '@pydantic/genai-prices'
const PINNED = {
  version: '0.1.8',
  integrity:
    'sha512-h7CYw6qTyflG2zUndO8tXyL8Xopf+tX9JZu13h0ZFgeyYj+J2gm1edR4+R+mbQ2vPdkFjtTmmmu1cYQPM5/KTA==',
}
const MAX_TIERS = 4 // PRICE_MAX_TIERS in include/money/price.h
const HALF_HOURS = 48

// Our rates and the package's units for them, in the order of the file.
const RATES = {
  input: 'input_mtok',
  cached_input: 'cache_read_mtok',
  cache_write: 'cache_write_mtok',
  cache_write_1h: 'cache_write_1h_mtok',
  audio_input: 'input_audio_mtok',
  cached_audio: 'cache_audio_read_mtok',
  output: 'output_mtok',
  reasoning: 'output_reasoning_mtok',
  audio_output: 'output_audio_mtok',
}
// Kinds of tokens we bill at the rate of a wider kind: right as long as that is no cheaper.
const WITHIN = {
  input_image_mtok: 'input_mtok',
  input_video_mtok: 'input_mtok',
  output_image_mtok: 'output_mtok',
}
const SEARCHES = 'web_searches_kcount' // USD per 1000
// Fees of hosted tools, which purser refuses under a budget.
const IGNORED = [SEARCHES, 'storage_searches_kcount', 'cache_image_read_mtok']

function options() {
  const { values } = parseArgs({
    options: {
      date: { type: 'string' },
      version: { type: 'string', default: PINNED.version },
      integrity: { type: 'string', default: PINNED.integrity },
      out: { type: 'string' },
    },
  })
  if (!/^\d{4}-\d{2}-\d{2}$/.test(values.date ?? '')) {
    throw new Error('--date YYYY-MM-DD is needed: the day whose prices are taken')
  }
  values.out ??= join(dirname(fileURLToPath(import.meta.url)), '..', 'prices.json')
  return values
}

// The package's module.
async function loadPackage({ version, integrity }, into) {
  const { folder, license } = fetchPackage({ name: PACKAGE, version, integrity }, into)
  const module = await import(pathToFileURL(join(folder, 'dist', 'index.js')))
  return { license: license ?? 'MIT', ...module }
}

// ---- prices ----

function rateAt(rate, above) {
  if (typeof rate === 'number') return rate
  return rate.tiers.findLast((tier) => tier.start <= above)?.price ?? rate.base
}

// Decimal text with at most 6 digits behind the point. The package's doubles carry noise behind
// the 12th significant digit; what is left beyond a pico-dollar per token is rounded up.
function decimal(number) {
  const [whole, fraction] = Number(number.toPrecision(12)).toFixed(12).split('.')
  const rest = /[1-9]/.test(fraction.slice(6)) ? 1n : 0n
  const micro = (BigInt(whole + fraction.slice(0, 6)) + rest).toString().padStart(7, '0')
  return `${micro.slice(0, -6)}.${micro.slice(-6)}`.replace(/\.?0+$/, '')
}

// Why the package's prices cannot be billed by tokens alone; undefined if they can.
function unbillable(prices, kind) {
  for (const [unit, rate] of Object.entries(prices)) {
    if (Object.values(RATES).includes(unit) || IGNORED.includes(unit)) continue
    const parent = prices[WITHIN[unit]]
    if (parent === undefined || rateAt(rate, 0) > rateAt(parent, 0)) return `priced by ${unit}`
  }
  if (prices.input_mtok === undefined) return 'no input price'
  if (prices.output_mtok === undefined && kind !== 'embedding') return 'no output price'
  return undefined
}

function times(factor, rate) {
  if (typeof rate === 'number') return rate * factor
  const tiers = rate.tiers.map((tier) => ({ ...tier, price: tier.price * factor }))
  return { base: rate.base * factor, tiers }
}

// With the rates of writing to the cache that the package leaves out.
function withWrites(prices, name) {
  const [, factors] = known.WRITES.find(([pattern]) => pattern.test(simple(name))) ?? [, {}]
  const rates = Object.entries(factors).map(([unit, by]) => [unit, times(by, prices.input_mtok)])
  return { ...Object.fromEntries(rates), ...prices }
}

// With the tier for large inputs that the package leaves out.
function withLongContext(prices, name) {
  const [, long] = known.LONG_CONTEXT.find(([pattern]) => pattern.test(simple(name))) ?? []
  const units = Object.values(RATES).filter((unit) => prices[unit] !== undefined)
  if (long === undefined || units.some((unit) => typeof prices[unit] !== 'number')) return prices
  const tiered = units.map((unit) => {
    const factor = unit.startsWith('output') ? long.output : long.input
    return [unit, { base: prices[unit], tiers: [{ start: long.above, price: prices[unit] * factor }] }]
  })
  return { ...prices, ...Object.fromEntries(tiered) }
}

function tiersOf(published, name) {
  const prices = withLongContext(withWrites(published, name), name)
  const units = Object.entries(RATES).filter(([, unit]) => prices[unit] !== undefined)
  const starts = units.flatMap(([, unit]) => prices[unit].tiers?.map((t) => t.start) ?? [])
  const thresholds = [-1, ...new Set(starts.sort((a, b) => a - b))]
  if (thresholds.length > MAX_TIERS) throw new Error(`${name} has too many tiers`)
  return thresholds.map((above) => {
    const rates = units.map(([ours, unit]) => [ours, decimal(rateAt(prices[unit], above))])
    return { ...(above >= 0 && { above }), ...Object.fromEntries(rates) }
  })
}

// The tiers of the other services, if they were published for these prices.
function servicesOf(provider, model, prices, name) {
  const { of, ...services } = SERVICES[provider]?.[model] ?? {}
  const text = (rate) => JSON.stringify(rate)?.replaceAll('272000', '271999') // "from", "above"
  const same = (unit) => text(of[unit]) === text(prices[unit])
  if (of === undefined || !Object.keys(of).every(same)) return {}
  return Object.fromEntries(
    Object.entries(services).map(([service, own]) => [service, tiersOf({ ...prices, ...own }, name)]),
  )
}

const feeOf = (perThousand) => (perThousand === undefined ? undefined : decimal(perThousand / 1000))

// The dearest of two prices, unit by unit: for prices that differ by the time of day.
function dearest(a, b) {
  const merged = { ...a }
  for (const [unit, rate] of Object.entries(b)) {
    if (merged[unit] === undefined || typeof rate !== 'number') merged[unit] = rate
    else merged[unit] = Math.max(merged[unit], rate)
  }
  return merged
}

// What the package says a name costs on `date`; undefined if it prices the name by another record.
function pricesOn(date, genai, provider, model, name) {
  const byTime =
    Array.isArray(model.prices) && model.prices.some((p) => p.constraint?.type === 'time_of_date')
  let prices
  for (let half = 0; half < (byTime ? HALF_HOURS : 1); half++) {
    const timestamp = new Date(Date.parse(`${date}T00:00:00Z`) + half * 1800000)
    const found = genai.calcPrice({}, name, { providerId: provider, timestamp })
    if (found?.model !== model) return undefined
    prices = prices === undefined ? found.model_price : dearest(prices, found.model_price)
  }
  return prices
}

const DAY_MS = 86400000
const dayBefore = (date) => new Date(Date.parse(date) - DAY_MS).toISOString().slice(0, 10)

// The days on which the package says that the model's price changes, in order.
function changesOf(model) {
  const constraints = Array.isArray(model.prices) ? model.prices.map((p) => p.constraint) : []
  const starts = constraints.filter((c) => c?.type === 'start_date').map((c) => c.start_date)
  return [...new Set(starts)].sort()
}

// What a name costs in each time that the package knows, as { from, until, prices }.
function periodsOf(genai, provider, model, name) {
  const changes = changesOf(model)
  const days = changes.length > 0 ? [dayBefore(changes[0]), ...changes] : []
  const periods = []
  days.forEach((day, i) => {
    const prices = pricesOn(day, genai, provider, model, name)
    const last = periods.at(-1)
    const same = last !== undefined && JSON.stringify(last.prices) === JSON.stringify(prices)
    if (same) last.until = changes[i]
    else periods.push({ from: changes[i - 1], until: changes[i], prices })
  })
  return periods.filter(({ prices }) => prices !== undefined)
}

// ---- names ----

const simple = (name) => name.split('/').pop().toLowerCase()
const undated = (name) =>
  name.replace(/([-@](latest|\d{4}-\d{2}-\d{2}|\d{8}|\d{4}|\d{2}-\d{4}))+$/, '')
const REGION = new RegExp(`^(${known.BEDROCK_REGIONS.join('|')})\\.`)
const family = (name) => undated(name.replace(REGION, '')).replaceAll('.', '-')

function exactNames(match) {
  if (match.or) return match.or.flatMap(exactNames)
  return match.equals === undefined ? [] : [match.equals]
}

function bedrockNames(id) {
  if (id.startsWith('global.')) return [id]
  const bare = id.replace(/^regional\./, '')
  return [bare, ...known.BEDROCK_REGIONS.map((region) => `${region}.${bare}`)]
}

// Every exact name of a package's model, whether or not the package resolves it to the model.
function candidates(provider, model) {
  const own = provider.id === 'bedrock' ? bedrockNames(model.id) : [model.id]
  const listed = known.NAMES[provider.id]?.[model.id] ?? []
  const names = [...new Set([...own, ...listed, ...exactNames(model.match)])]
  return names.filter((name) => provider.id === 'openai' || !name.startsWith('ft:'))
}

// Names that differ in date, "-latest", region or the spelling of a point are one model.
function byFamily(names) {
  const families = new Map()
  for (const name of names) {
    const key = family(name)
    families.set(key, [...(families.get(key) ?? []), name])
  }
  return [...families.values()]
}

// The package's own id unless that is dated; else the shortest, with a point, first in order.
function canonical(names, id) {
  if (names.includes(id) && undated(id) === id) return id
  const points = (name) => Number(name.includes('.'))
  const order = (a, b) => a.length - b.length || points(b) - points(a) || (a < b ? -1 : 1)
  return names.toSorted(order)[0]
}

// ---- records ----

function limitsOf(provider, name, context) {
  const base = name.replace(/^ft:/, '')
  const found = known.LIMITS_OF.includes(provider)
    ? known.LIMITS.find(([pattern]) => pattern.test(base) || pattern.test(undated(base)))
    : undefined
  return { max_input: found?.[1] ?? context ?? 0, max_output: found?.[2] ?? 0 }
}

const thinks = (name) =>
  !known.NO_REASONING.test(name) && known.REASONING.some((pattern) => pattern.test(name))

function record(provider, model, names, { from, until, prices }, kind) {
  const name = canonical(names, model.id)
  const { max_input, max_output } = limitsOf(provider.id, name, model.context_window)
  return {
    provider: provider.id,
    name,
    aliases: names.filter((other) => other !== name).sort(),
    kind,
    reasoning: kind === 'chat' && thinks(simple(name)),
    max_input,
    max_output: kind === 'chat' ? max_output : 0,
    from,
    until,
    search: feeOf(prices[SEARCHES]),
    tiers: tiersOf(prices, name),
    ...servicesOf(provider.id, model.id, prices, name),
  }
}

const speaksUnpriced = (name, prices) =>
  /(^|[-_/.])audio/.test(name) && prices.input_audio_mtok === undefined

function whyLeftOut(name, prices, kind) {
  const found = known.LEFT_OUT.find(([pattern]) => pattern.test(simple(name)) || pattern.test(name))
  if (found !== undefined) return found[1]
  return speaksUnpriced(name, prices) ? 'audio without a price' : unbillable(prices, kind)
}

// The records of one family of a package's model's names: one for each time, or none.
function recordsOfFamily({ genai, date, leave, seen }, provider, model, names) {
  const key = (name) => `${provider.id} ${name}`
  const costs = new Map(
    names
      .filter((name) => !seen.has(key(name)))
      .map((name) => [name, pricesOn(date, genai, provider.from, model, name)])
      .filter(([, prices]) => prices !== undefined),
  )
  if (costs.size === 0) return []
  const priced = [...costs.keys()]
  const free = priced[0].endsWith(':free')
  const prices = free ? { input_mtok: 0, output_mtok: 0 } : costs.get(priced[0])
  const dated = free ? [] : periodsOf(genai, provider.from, model, priced[0])
  const periods = dated.length > 0 ? dated : [{ prices }]
  const kind = known.EMBEDDING.test(simple(priced[0])) ? 'embedding' : 'chat'
  const why = periods
    .map((period) => whyLeftOut(priced[0], period.prices, kind))
    .find((reason) => reason !== undefined)
  if (why !== undefined) {
    leave(why, key(priced.join(' ')))
    return []
  }
  priced.forEach((name) => seen.add(key(name)))
  return periods.map((period) => record(provider, model, priced, period, kind))
}

function freeRecords(provider) {
  const constant = { kind: 'other', reasoning: false, max_input: 0, max_output: 0 }
  const tiers = [{ input: '0', output: '0' }]
  return known.FREE.filter((model) => model.provider === provider.id).map((model) => ({
    ...model,
    ...constant,
    tiers,
  }))
}

// Images and sound: what is billed by the piece has no price of tokens.
function mediaRecords(provider) {
  const usual = { kind: 'other', reasoning: false, max_input: 0, max_output: 0 }
  return known.MEDIA.filter((model) => model.provider === provider.id).map(
    ({ provider: id, name, aliases = [], ...rest }) => ({
      provider: id,
      name,
      aliases,
      ...usual,
      tiers: [{ input: '0', output: '0' }],
      ...rest,
    }),
  )
}

function recordsOf(context, provider) {
  const models = [provider.from, ...(provider.resells ?? [])].flatMap(
    (id) => context.genai.findProvider({ providerId: id }).models,
  )
  const priced = models.flatMap((model) =>
    byFamily(candidates(provider, model)).flatMap((names) =>
      recordsOfFamily(context, provider, model, names),
    ),
  )
  const order = ({ name, from }) => `${name} ${from ?? ''}`
  return [...priced, ...freeRecords(provider), ...mediaRecords(provider)].sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

// ---- the file ----

function ratesText(tier) {
  return `{${Object.entries(tier)
    .map(([key, value]) => `"${key}":${value}`)
    .join(',')}}`
}

// A record on one line; the rates are numbers in decimal text, never a double's own spelling.
function line(entry) {
  const { search, image, second, character, tiers, flex, priority, batch, ...rest } = entry
  const numbers = [
    ...Object.entries({ search, image, second, character })
      .filter(([, fee]) => fee !== undefined)
      .map(([name, fee]) => `"${name}":${fee}`),
    ...Object.entries({ tiers, flex, priority, batch })
      .filter(([, list]) => list !== undefined)
      .map(([name, list]) => `"${name}":[${list.map(ratesText).join(',')}]`),
  ]
  if (rest.aliases.length === 0) delete rest.aliases
  if (rest.max_input === 0) delete rest.max_input
  if (rest.max_output === 0) delete rest.max_output
  return `${JSON.stringify(rest).slice(0, -1)},${numbers.join(',')}}`
}

function write(out, { version, integrity, date }, license, records) {
  const source = { package: PACKAGE, version, license, integrity, date }
  const text = [
    '{',
    '"format":1,',
    `"source":${JSON.stringify(source)},`,
    '"models":[',
    records.map(line).join(',\n'),
    ']',
    '}',
    '',
  ]
  writeFileSync(out, text.join('\n'))
}

async function main() {
  const asked = options()
  const folder = mkdtempSync(join(tmpdir(), 'prices-'))
  try {
    const genai = await loadPackage(asked, folder)
    const left = new Map()
    const leave = (why, name) => left.set(why, [...(left.get(why) ?? []), name])
    const context = { genai, date: asked.date, leave, seen: new Set() }
    const records = known.PROVIDERS.flatMap((provider) => recordsOf(context, provider))
    write(asked.out, asked, genai.license, records)
    console.error(`${records.length} records; left out:`)
    for (const [why, names] of [...left].sort()) console.error(`  ${why}: ${names.join(', ')}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

await main()
