// What the price package does not say, put together by hand: the limits of the main models, the
// exact names behind open-ended rules, which models think, and which are no plain text models.
// Sources: the providers' public model pages (OpenAI "Models", Anthropic "Models overview",
// Google "Gemini models", DeepSeek "Models & pricing"), read in November 2026, and for the newest
// models third-party pages.

// Our name, the package's, and the package's providers whose models it resells under their names.
// The order is that of the file.
export const PROVIDERS = [
  { id: 'openai', from: 'openai' },
  { id: 'anthropic', from: 'anthropic' },
  { id: 'google', from: 'google', resells: ['anthropic'] },
  { id: 'mistral', from: 'mistral' },
  { id: 'deepseek', from: 'deepseek' },
  { id: 'xai', from: 'x-ai' },
  { id: 'cohere', from: 'cohere' },
  { id: 'moonshot', from: 'moonshotai' },
  { id: 'groq', from: 'groq' },
  { id: 'cerebras', from: 'cerebras' },
  { id: 'together', from: 'together' },
  { id: 'fireworks', from: 'fireworks' },
  { id: 'novita', from: 'novita' },
  { id: 'perplexity', from: 'perplexity' },
  {
    id: 'azure',
    from: 'azure',
    resells: ['openai', 'anthropic', 'deepseek', 'x-ai', 'moonshotai'],
  },
  { id: 'bedrock', from: 'aws' },
  { id: 'openrouter', from: 'openrouter' },
]

// [names without date and "-latest", largest input, largest output], in tokens; the first that
// fits counts. null: as the package says.
export const LIMITS = [
  [/^gpt-4o-2024-05-13$/, 128000, 4096],
  [/^gpt-4o(-mini)?$/, 128000, 16384],
  [/^chatgpt-4o$/, 128000, 16384],
  [/^gpt-audio(-mini|-1\.5)?$/, 128000, 16384],
  [/^gpt-4\.1(-mini|-nano)?$/, 1047576, 32768],
  [/^gpt-4\.5-preview$/, 128000, 16384],
  [/^gpt-4(-turbo(-0125)?|-0125|-1106)?(-vision)?-preview$/, 128000, 4096],
  [/^gpt-4-turbo$/, 128000, 4096],
  [/^gpt-4-32k$/, 32768, 32768],
  [/^gpt-4$/, 8192, 8192],
  [/^gpt-3\.5-turbo-(0301|0613)$/, 4096, 4096],
  [/^gpt-3\.5-turbo-instruct$/, 4096, 4096],
  [/^gpt-3\.?5-turbo-16k$/, 16385, 16385],
  [/^gpt-3\.?5-turbo(-0125|-1106)?$/, 16385, 4096],
  [/^gpt-5([.-][123])?-chat$/, 128000, 16384],
  [/^gpt-5[.-]3$/, 128000, 16384],
  [/^gpt-5-pro$/, 400000, 272000],
  [/^gpt-5([.-]1)?(-mini|-nano|-codex|-codex-mini|-codex-max)?$/, 272000, 128000],
  [/^gpt-5[.-]2(-pro|-codex)?$/, 272000, 128000],
  [/^gpt-5[.-]3-codex$/, 272000, 128000],
  [/^gpt-5[.-]4-(mini|nano)$/, 272000, 128000],
  [/^gpt-5[.-][45](-pro)?$/, 1050000, 128000],
  [/^gpt-5[.-]6(-luna|-sol|-terra)?$/, 1050000, 128000],
  [/^gpt-6-(astra|sol|luna)$/, 1050000, 128000],
  [/^codex-mini$/, 200000, 100000],
  [/^o1-mini$/, 128000, 65536],
  [/^o1-preview$/, 128000, 32768],
  [/^(o1|o1-pro|o3|o3-mini|o3-mini-high|o3-pro|o4-mini|o4-mini-high)$/, 200000, 100000],
  [/^computer-use-preview$/, 8192, 1024],
  [/^(davinci|babbage)-002$/, 16384, 16384],
  [/^text-embedding-(3-small|3-large|ada|ada-002|ada-002-v2)$/, 8192, 0],
  [/^claude-(2|2\.[01]|v1)$/, null, 4096],
  [/^claude-3-(haiku|sonnet|opus)$/, 200000, 4096],
  [/^claude-3[.-]5-(haiku|sonnet)$/, 200000, 8192],
  [/^claude-3[.-]7-sonnet$/, 200000, 64000],
  [/^claude-(opus-4([.-][01])?|4-opus)$/, 200000, 32000],
  [/^claude-(sonnet-4([.-]0)?|4-sonnet)$/, 200000, 64000],
  [/^claude-(haiku|sonnet|opus)-4[.-]5$/, null, 64000],
  [/^claude-(haiku|sonnet|opus)-4[.-][6-8]$/, 1000000, 128000],
  [/^claude-(sonnet|opus|fable)-5([.-][15])?$/, 1000000, 128000],
  [/^gemini-1\.5-pro$/, 2097152, 8192],
  [/^gemini-(1\.5|2\.0)-flash(-lite)?$/, 1048576, 8192],
  [/^gemini-2\.5-(pro|flash|flash-lite)$/, 1048576, 65536],
  [/^gemini-3(\.1)?-(pro|flash)-preview$/, 1048576, 65536],
  [/^deepseek-chat$/, 128000, 8192],
  [/^deepseek-reasoner$/, 128000, 65536],
]

// Where the limits above hold: the providers that serve these models themselves.
export const LIMITS_OF = ['openai', 'anthropic', 'google', 'deepseek', 'azure']

// What writing to the cache costs where the package does not say, as a multiple of the price of
// plain input: Anthropic's "Pricing", chapter "Prompt caching". Whoever sells its models bills so.
export const WRITES = [
  [/(^|\.)claude-(?!2|v\d|instant)/, { cache_write_mtok: 1.25, cache_write_1h_mtok: 2 }],
]

// Dearer prices of large inputs where the package has one price for all: above so many tokens of input
// the whole request costs so many times as much. Writes to the cache and reads from it go along.
// Sources, read on 2026-11-22: Claude Sonnet 4 with the beta "context-1m", Anthropic's "Pricing", chapter
// "Long context pricing", as of August 2025 ($6 and $22.50 above 200,000; Sonnet 4.5 and, until March
// 2026, 4.6 have the same, which the package says, but not of 4.5 on Bedrock). Grok 4: OpenRouter's page of the model ("once the
// total tokens in a given request is greater than 128k") and resellers' ($6 and $30).
// Gemini 2.5 Pro and 3 Pro (200,000), GPT-5.4 to 5.6 and 6 (272,000), Grok 4.20 to 4.6 (200,000) have
// theirs in the package; GPT-4.1, GPT-5 to 5.3, Claude Opus 4 to 4.5 and Haiku have one price.
export const LONG_CONTEXT = [
  [
    /(^|\.)claude-(sonnet-4([.-][05])?|4-sonnet)([-@]\d{8})?(-v1:0)?$/,
    { above: 200000, input: 2, output: 1.5 },
  ],
  [/^grok-4(-0709|-latest)?$/, { above: 128000, input: 2, output: 2 }],
]

// Exact names that the package covers by an open rule ("starts with"). Each is kept only if the
// package itself prices it by the record it stands under.
export const NAMES = {
  openai: {
    'ft:gpt-3.5-turbo-': [
      'ft:gpt-3.5-turbo',
      'ft:gpt-3.5-turbo-0125',
      'ft:gpt-3.5-turbo-0613',
      'ft:gpt-3.5-turbo-1106',
    ],
    'ft:gpt-4o': ['ft:gpt-4o-2024-08-06'],
    'ft:gpt-4o-mini': ['ft:gpt-4o-mini-2024-07-18'],
    'computer-use': ['computer-use-preview', 'computer-use-preview-2025-03-11'],
    'gpt-3.5-turbo-instruct': ['gpt-3.5-turbo-instruct'],
    'gpt-4.5-preview': ['gpt-4.5-preview', 'gpt-4.5-preview-2025-02-27'],
    'gpt-5-nano': ['gpt-5-nano-2025-08-07'],
  },
  anthropic: {
    'claude-2': ['claude-2.0', 'claude-2.1'],
    'claude-3-5-haiku-latest': ['claude-3-5-haiku-20241022'],
    'claude-3-5-sonnet': [
      'claude-3-5-sonnet-20240620',
      'claude-3-5-sonnet-20241022',
      'claude-3-5-sonnet-latest',
    ],
    'claude-3-7-sonnet-latest': ['claude-3-7-sonnet-20250219'],
    'claude-3-haiku': ['claude-3-haiku-20240307'],
    'claude-3-opus-latest': ['claude-3-opus-20240229'],
    'claude-3-sonnet': ['claude-3-sonnet-20240229'],
    'claude-haiku-4-5': ['claude-haiku-4-5-20251001'],
    'claude-opus-4-1': ['claude-opus-4-1-20250805'],
    'claude-opus-4-5': ['claude-opus-4-5-20251101'],
    'claude-sonnet-4-0': ['claude-sonnet-4-20250514'],
    'claude-sonnet-4-5': ['claude-sonnet-4-5-20250929'],
  },
  google: {
    'claude-3-5-haiku': ['claude-3-5-haiku@20241022'],
    'claude-3-5-sonnet': ['claude-3-5-sonnet@20240620', 'claude-3-5-sonnet-v2@20241022'],
    'claude-3-7-sonnet': ['claude-3-7-sonnet@20250219'],
    'claude-4-opus': ['claude-opus-4@20250514', 'claude-opus-4-1', 'claude-opus-4-1@20250805'],
    'claude-4-sonnet': ['claude-sonnet-4@20250514'],
    'claude-haiku-4-5': ['claude-haiku-4-5@20251001'],
    'claude-sonnet-4-5': ['claude-sonnet-4-5@20250929'],
    'gemini-2.0-flash': ['gemini-2.0-flash-001'],
    'gemini-2.0-flash-lite': ['gemini-2.0-flash-lite-001'],
  },
  mistral: {
    'magistral-medium': [
      'magistral-medium-2506',
      'magistral-medium-2509',
      'magistral-medium-latest',
    ],
    'magistral-small': ['magistral-small-2506', 'magistral-small-2509', 'magistral-small-latest'],
  },
}

// Bedrock's cross-region profiles put a region before the model's name.
export const BEDROCK_REGIONS = ['us', 'eu', 'apac', 'au', 'jp']

// Free of charge, says the provider; the package has no figures for them.
export const FREE = [
  {
    provider: 'openai',
    name: 'omni-moderation-latest',
    aliases: ['omni-moderation-2024-09-26'],
  },
  {
    provider: 'openai',
    name: 'text-moderation-latest',
    aliases: ['text-moderation-007', 'text-moderation-stable'],
  },
]

// Images and sound: prices per piece (image, second, character) in USD, of tokens in USD per 1M,
// cached ones at the dearest kind's. Source: the package where it has them, which has no limits and
// no prices of dall-e and tts; OpenAI's price list and its guides to image generation and to speech,
// read in November 2026. An image costs by its size and quality, which stand before the
// model's name; the plain name has the dearest of them. gpt-image-1: an image of high quality, and
// three partial ones on the way.
const DALLE = [
  ['dall-e-3', '0.12'],
  ['standard/1024-x-1024/dall-e-3', '0.04'],
  ['standard/1024-x-1792/dall-e-3', '0.08'],
  ['standard/1792-x-1024/dall-e-3', '0.08'],
  ['hd/1024-x-1024/dall-e-3', '0.08'],
  ['hd/1024-x-1792/dall-e-3', '0.12'],
  ['hd/1792-x-1024/dall-e-3', '0.12'],
  ['dall-e-2', '0.02'],
  ['1024-x-1024/dall-e-2', '0.02'],
  ['512-x-512/dall-e-2', '0.018'],
  ['256-x-256/dall-e-2', '0.016'],
]
export const MEDIA = [
  ...DALLE.map(([name, image]) => ({ provider: 'openai', name, image })),
  { provider: 'openai', name: 'whisper-1', second: '0.0001' },
  { provider: 'openai', name: 'gpt-transcribe', second: '0.000075' },
  { provider: 'openai', name: 'tts-1', aliases: ['tts-1-1106'], character: '0.000015' },
  { provider: 'openai', name: 'tts-1-hd', aliases: ['tts-1-hd-1106'], character: '0.00003' },
  {
    provider: 'openai',
    name: 'gpt-image-1',
    max_output: 6540,
    tiers: [{ input: '5', cached_input: '2.5', image_input: '10', output: '40' }],
  },
  {
    provider: 'openai',
    name: 'gpt-image-1-mini',
    max_output: 6540,
    tiers: [{ input: '2', cached_input: '0.25', image_input: '2.5', output: '8' }],
  },
  {
    provider: 'openai',
    name: 'gpt-4o-transcribe',
    max_input: 16000,
    max_output: 2000,
    tiers: [{ input: '2.5', audio_input: '6', output: '10' }],
  },
  {
    provider: 'openai',
    name: 'gpt-4o-mini-transcribe',
    max_input: 16000,
    max_output: 2000,
    tiers: [{ input: '1.25', audio_input: '3', output: '5' }],
  },
  {
    provider: 'openai',
    name: 'gpt-4o-mini-tts',
    max_input: 2000,
    tiers: [{ input: '0.6', output: '12' }],
  },
  // How much these may make nobody says: they need `hold_usd`, or `max_output`, of the operator's.
  {
    provider: 'openai',
    name: 'gpt-image-1.5',
    aliases: ['gpt-image-1.5-2025-12-16'],
    tiers: [
      { input: '5', cached_input: '2', image_input: '8', output: '10', image_output: '32' },
    ],
  },
  {
    provider: 'openai',
    name: 'gpt-image-2',
    aliases: ['gpt-image-2-2026-04-21'],
    tiers: [{ input: '5', cached_input: '2', image_input: '8', output: '30' }],
  },
]

// May think before the first visible token: looked for in the name behind the last '/', in small
// letters. Wrongly true costs some convenience (no rolling hold), wrongly false costs money.
export const REASONING = [
  /^o[1-9]\b/,
  /(^|\.)gpt-([5-9]|oss)/,
  /^gpt-(chat-)?latest$/,
  /^codex/,
  /claude-(3[.-]7|[4-9]|(opus|sonnet|haiku)-[4-9]|fable|mythos)/,
  /gemini-(2\.[5-9]|[3-9]|flash-latest|pro-latest|2\.0-flash-thinking)/,
  /grok-(3-mini|[4-9]|build|code|latest)/,
  /deepseek[.-](r[1-9]|reasoner|v3[.p][1-9]|v[4-9]|chat$|chat-v3\.)/,
  /(^|[-_./])r1($|[-_.:])/,
  /magistral|mistral-medium-(3[.-]5|latest)|mistral-small-2603/,
  /qwq|qvq|qwen-?(3|plus|max|flash|turbo)|qwen[4-9]/,
  /kimi-(k2[.p][5-9]|k2-thinking|k[3-9]|latest)/,
  /glm-(z1|4[.p][5-9]|[5-9])/,
  /minimax-m[1-9]/,
  /nova-2|nova-premier/,
  /nemotron|ernie|hunyuan|seed|step-|mimo|ring-|inkling|hermes-4|cogito|intellect|aion|olmo-3/,
  /deephermes|deepcoder|olympiccoder|reka-flash-3|hy3|laguna|mercury-2/,
  /reason|think|-rt?[0-9]-/,
]
export const NO_REASONING = /non-reasoning|llama-3\.1-405b-reasoning/

export const EMBEDDING = /embed|^bge-|^e5-|^gte-|m2-bert/

// No plain text models, or models whose every call costs fees beside its tokens.
export const LEFT_OUT = [
  [/(^|[-_./])(tts|whisper|transcribe|realtime|live|sonic|voice|speech)/, 'speech'],
  [/image|imagen|dall-e|banana/, 'images'],
  [/video|(^|\/)(veo|sora)|omni-flash/, 'video'],
  [/ocr|rerank|moderation/, 'another endpoint'],
  [/search-preview|-search($|-)|sonar|online|deep-research|compound/, 'search fees on every call'],
  [/[-.@:]$/, 'the beginning of a name'],
  [/^~|^openrouter\/|^auto$/, 'stands for changing models'],
]
