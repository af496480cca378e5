// What the service tiers of a provider cost, by the price package's names of models, in its units (USD
// per 1M tokens). `of` is the standard price for which they were published: where the package has
// another one by now, nothing is known of the tiers. What a tier does not say costs as in the standard
// one (of batches OpenAI publishes no cached input for most models).
//
// Thresholds are those of the price package.
//
// Source: OpenAI's price page, https://developers.openai.com/api/docs/pricing, as the Python package
// genai-prices 0.1.13 (MIT licence) quotes it: flex and priority were read there on 2026-10-12, batch on
// 2026-10-14. OpenAI calls its priority tier "fast" as well, at the same price.
export const SERVICES = {
  openai: {
    'ft:gpt-3.5-turbo-': {
      of: { input_mtok: 3, output_mtok: 6 },
      batch: { input_mtok: 1.5, output_mtok: 3 },
    },
    'ft:gpt-4o-mini': {
      of: { input_mtok: 0.3, output_mtok: 1.2 },
      batch: { input_mtok: 0.15, output_mtok: 0.6 },
    },
    'gpt-3.5-turbo': {
      of: { input_mtok: 0.5, output_mtok: 1.5 },
      batch: { input_mtok: 0.25, output_mtok: 0.75 },
    },
    'gpt-4': {
      of: { input_mtok: 30, output_mtok: 60 },
      batch: { input_mtok: 15, output_mtok: 30 },
    },
    'gpt-4-turbo': {
      of: { input_mtok: 10, output_mtok: 30 },
      batch: { input_mtok: 5, output_mtok: 15 },
    },
    'gpt-4.1': {
      of: { input_mtok: 2, cache_read_mtok: 0.5, output_mtok: 8 },
      priority: { input_mtok: 3.5, cache_read_mtok: 0.875, output_mtok: 14 },
      batch: { input_mtok: 1, output_mtok: 4 },
    },
    'gpt-4.1-mini': {
      of: { input_mtok: 0.4, cache_read_mtok: 0.1, output_mtok: 1.6 },
      priority: { input_mtok: 0.7, cache_read_mtok: 0.175, output_mtok: 2.8 },
      batch: { input_mtok: 0.2, output_mtok: 0.8 },
    },
    'gpt-4.1-nano': {
      of: { input_mtok: 0.1, cache_read_mtok: 0.025, output_mtok: 0.4 },
      priority: { input_mtok: 0.2, cache_read_mtok: 0.05, output_mtok: 0.8 },
      batch: { input_mtok: 0.05, output_mtok: 0.2 },
    },
    'gpt-4o': {
      of: { input_mtok: 2.5, cache_read_mtok: 1.25, output_mtok: 10 },
      priority: { input_mtok: 4.25, cache_read_mtok: 2.125, output_mtok: 17 },
      batch: { input_mtok: 1.25, output_mtok: 5 },
    },
    'gpt-4o-2024-05-13': {
      of: { input_mtok: 5, output_mtok: 15 },
      priority: { input_mtok: 8.75, output_mtok: 26.25 },
      batch: { input_mtok: 2.5, output_mtok: 7.5 },
    },
    'gpt-4o-mini': {
      of: { input_mtok: 0.15, cache_read_mtok: 0.075, output_mtok: 0.6 },
      priority: { input_mtok: 0.25, cache_read_mtok: 0.125, output_mtok: 1 },
      batch: { input_mtok: 0.075, output_mtok: 0.3 },
    },
    'gpt-5': {
      of: { input_mtok: 1.25, cache_read_mtok: 0.125, output_mtok: 10 },
      flex: { input_mtok: 0.625, cache_read_mtok: 0.0625, output_mtok: 5 },
      priority: { input_mtok: 2.5, cache_read_mtok: 0.25, output_mtok: 20 },
      batch: { input_mtok: 0.625, cache_read_mtok: 0.0625, output_mtok: 5 },
    },
    'gpt-5-mini': {
      of: { input_mtok: 0.25, cache_read_mtok: 0.025, output_mtok: 2 },
      flex: { input_mtok: 0.125, cache_read_mtok: 0.0125, output_mtok: 1 },
      priority: { input_mtok: 0.45, cache_read_mtok: 0.045, output_mtok: 3.6 },
      batch: { input_mtok: 0.125, cache_read_mtok: 0.0125, output_mtok: 1 },
    },
    'gpt-5-nano': {
      of: { input_mtok: 0.05, cache_read_mtok: 0.005, output_mtok: 0.4 },
      flex: { input_mtok: 0.025, cache_read_mtok: 0.0025, output_mtok: 0.2 },
      batch: { input_mtok: 0.025, cache_read_mtok: 0.0025, output_mtok: 0.2 },
    },
    'gpt-5-pro': {
      of: { input_mtok: 15, output_mtok: 120 },
      batch: { input_mtok: 7.5, output_mtok: 60 },
    },
    'gpt-5.1': {
      of: { input_mtok: 1.25, cache_read_mtok: 0.125, output_mtok: 10 },
      flex: { input_mtok: 0.625, cache_read_mtok: 0.0625, output_mtok: 5 },
      priority: { input_mtok: 2.5, cache_read_mtok: 0.25, output_mtok: 20 },
      batch: { input_mtok: 0.625, cache_read_mtok: 0.0625, output_mtok: 5 },
    },
    'gpt-5.2': {
      of: { input_mtok: 1.75, cache_read_mtok: 0.175, output_mtok: 14 },
      flex: { input_mtok: 0.875, cache_read_mtok: 0.0875, output_mtok: 7 },
      priority: { input_mtok: 3.5, cache_read_mtok: 0.35, output_mtok: 28 },
      batch: { input_mtok: 0.875, cache_read_mtok: 0.0875, output_mtok: 7 },
    },
    'gpt-5.2-pro': {
      of: { input_mtok: 21, output_mtok: 168 },
      batch: { input_mtok: 10.5, output_mtok: 84 },
    },
    'gpt-5.3-codex': {
      of: { input_mtok: 1.75, cache_read_mtok: 0.175, output_mtok: 14 },
      priority: { input_mtok: 3.5, cache_read_mtok: 0.35, output_mtok: 28 },
    },
    'gpt-5.4': {
      of: { input_mtok: { base: 2.5, tiers: [{ start: 271999, price: 5 }] }, cache_read_mtok: { base: 0.25, tiers: [{ start: 271999, price: 0.5 }] }, output_mtok: { base: 15, tiers: [{ start: 271999, price: 22.5 }] } },
      flex: { input_mtok: { base: 1.25, tiers: [{ start: 271999, price: 2.5 }] }, cache_read_mtok: { base: 0.13, tiers: [{ start: 271999, price: 0.25 }] }, output_mtok: { base: 7.5, tiers: [{ start: 271999, price: 11.25 }] } },
      priority: { input_mtok: 5, cache_read_mtok: 0.5, output_mtok: 30 },
      batch: { input_mtok: { base: 1.25, tiers: [{ start: 271999, price: 2.5 }] }, cache_read_mtok: { base: 0.13, tiers: [{ start: 271999, price: 0.25 }] }, output_mtok: { base: 7.5, tiers: [{ start: 271999, price: 11.25 }] } },
    },
    'gpt-5.4-mini': {
      of: { input_mtok: 0.75, cache_read_mtok: 0.075, output_mtok: 4.5 },
      flex: { input_mtok: 0.375, cache_read_mtok: 0.0375, output_mtok: 2.25 },
      priority: { input_mtok: 1.5, cache_read_mtok: 0.15, output_mtok: 9 },
      batch: { input_mtok: 0.375, cache_read_mtok: 0.0375, output_mtok: 2.25 },
    },
    'gpt-5.4-nano': {
      of: { input_mtok: 0.2, cache_read_mtok: 0.02, output_mtok: 1.25 },
      flex: { input_mtok: 0.1, cache_read_mtok: 0.01, output_mtok: 0.625 },
      batch: { input_mtok: 0.1, cache_read_mtok: 0.01, output_mtok: 0.625 },
    },
    'gpt-5.4-pro': {
      of: { input_mtok: { base: 30, tiers: [{ start: 271999, price: 60 }] }, output_mtok: { base: 180, tiers: [{ start: 271999, price: 270 }] } },
      flex: { input_mtok: { base: 15, tiers: [{ start: 271999, price: 30 }] }, output_mtok: { base: 90, tiers: [{ start: 271999, price: 135 }] } },
      batch: { input_mtok: { base: 15, tiers: [{ start: 271999, price: 30 }] }, output_mtok: { base: 90, tiers: [{ start: 271999, price: 135 }] } },
    },
    'gpt-5.5': {
      of: { input_mtok: { base: 5, tiers: [{ start: 271999, price: 10 }] }, cache_read_mtok: { base: 0.5, tiers: [{ start: 271999, price: 1 }] }, output_mtok: { base: 30, tiers: [{ start: 271999, price: 45 }] } },
      flex: { input_mtok: { base: 2.5, tiers: [{ start: 271999, price: 5 }] }, cache_read_mtok: { base: 0.25, tiers: [{ start: 271999, price: 0.5 }] }, output_mtok: { base: 15, tiers: [{ start: 271999, price: 22.5 }] } },
      priority: { input_mtok: 12.5, cache_read_mtok: 1.25, output_mtok: 75 },
      batch: { input_mtok: { base: 2.5, tiers: [{ start: 271999, price: 5 }] }, cache_read_mtok: { base: 0.25, tiers: [{ start: 271999, price: 0.5 }] }, output_mtok: { base: 15, tiers: [{ start: 271999, price: 22.5 }] } },
    },
    'gpt-5.5-pro': {
      of: { input_mtok: { base: 30, tiers: [{ start: 271999, price: 60 }] }, output_mtok: { base: 180, tiers: [{ start: 271999, price: 270 }] } },
      flex: { input_mtok: 15, output_mtok: 90 },
      batch: { input_mtok: 15, output_mtok: 90 },
    },
    'gpt-5.6-luna': {
      of: { input_mtok: { base: 0.2, tiers: [{ start: 271999, price: 0.4 }] }, cache_read_mtok: { base: 0.02, tiers: [{ start: 271999, price: 0.04 }] }, cache_write_mtok: { base: 0.25, tiers: [{ start: 271999, price: 0.5 }] }, output_mtok: { base: 1.2, tiers: [{ start: 271999, price: 1.8 }] } },
      flex: { input_mtok: { base: 0.1, tiers: [{ start: 271999, price: 0.2 }] }, cache_read_mtok: { base: 0.01, tiers: [{ start: 271999, price: 0.02 }] }, cache_write_mtok: { base: 0.125, tiers: [{ start: 271999, price: 0.25 }] }, output_mtok: { base: 0.6, tiers: [{ start: 271999, price: 0.9 }] } },
      priority: { input_mtok: { base: 0.4, tiers: [{ start: 271999, price: 0.8 }] }, cache_read_mtok: { base: 0.04, tiers: [{ start: 271999, price: 0.08 }] }, cache_write_mtok: { base: 0.5, tiers: [{ start: 271999, price: 1 }] }, output_mtok: { base: 2.4, tiers: [{ start: 271999, price: 3.6 }] } },
      batch: { input_mtok: { base: 0.1, tiers: [{ start: 271999, price: 0.2 }] }, cache_read_mtok: { base: 0.01, tiers: [{ start: 271999, price: 0.02 }] }, cache_write_mtok: { base: 0.125, tiers: [{ start: 271999, price: 0.25 }] }, output_mtok: { base: 0.6, tiers: [{ start: 271999, price: 0.9 }] } },
    },
    'gpt-5.6-sol': {
      of: { input_mtok: { base: 4, tiers: [{ start: 271999, price: 8 }] }, cache_read_mtok: { base: 0.4, tiers: [{ start: 271999, price: 0.8 }] }, cache_write_mtok: { base: 5, tiers: [{ start: 271999, price: 10 }] }, output_mtok: { base: 20, tiers: [{ start: 271999, price: 30 }] } },
      flex: { input_mtok: { base: 2, tiers: [{ start: 271999, price: 4 }] }, cache_read_mtok: { base: 0.2, tiers: [{ start: 271999, price: 0.4 }] }, cache_write_mtok: { base: 2.5, tiers: [{ start: 271999, price: 5 }] }, output_mtok: { base: 10, tiers: [{ start: 271999, price: 15 }] } },
      priority: { input_mtok: { base: 8, tiers: [{ start: 271999, price: 16 }] }, cache_read_mtok: { base: 0.8, tiers: [{ start: 271999, price: 1.6 }] }, cache_write_mtok: { base: 10, tiers: [{ start: 271999, price: 20 }] }, output_mtok: { base: 40, tiers: [{ start: 271999, price: 60 }] } },
      batch: { input_mtok: { base: 2, tiers: [{ start: 271999, price: 4 }] }, cache_read_mtok: { base: 0.2, tiers: [{ start: 271999, price: 0.4 }] }, cache_write_mtok: { base: 2.5, tiers: [{ start: 271999, price: 5 }] }, output_mtok: { base: 10, tiers: [{ start: 271999, price: 15 }] } },
    },
    'gpt-5.6-terra': {
      of: { input_mtok: { base: 2, tiers: [{ start: 271999, price: 4 }] }, cache_read_mtok: { base: 0.2, tiers: [{ start: 271999, price: 0.4 }] }, cache_write_mtok: { base: 2.5, tiers: [{ start: 271999, price: 5 }] }, output_mtok: { base: 12, tiers: [{ start: 271999, price: 18 }] } },
      flex: { input_mtok: { base: 1, tiers: [{ start: 271999, price: 2 }] }, cache_read_mtok: { base: 0.1, tiers: [{ start: 271999, price: 0.2 }] }, cache_write_mtok: { base: 1.25, tiers: [{ start: 271999, price: 2.5 }] }, output_mtok: { base: 6, tiers: [{ start: 271999, price: 9 }] } },
      priority: { input_mtok: { base: 4, tiers: [{ start: 271999, price: 8 }] }, cache_read_mtok: { base: 0.4, tiers: [{ start: 271999, price: 0.8 }] }, cache_write_mtok: { base: 5, tiers: [{ start: 271999, price: 10 }] }, output_mtok: { base: 24, tiers: [{ start: 271999, price: 36 }] } },
      batch: { input_mtok: { base: 1, tiers: [{ start: 271999, price: 2 }] }, cache_read_mtok: { base: 0.1, tiers: [{ start: 271999, price: 0.2 }] }, cache_write_mtok: { base: 1.25, tiers: [{ start: 271999, price: 2.5 }] }, output_mtok: { base: 6, tiers: [{ start: 271999, price: 9 }] } },
    },
    'gpt-6-astra': {
      of: { input_mtok: { base: 10, tiers: [{ start: 271999, price: 20 }] }, cache_read_mtok: { base: 1, tiers: [{ start: 271999, price: 2 }] }, cache_write_mtok: { base: 12.5, tiers: [{ start: 271999, price: 25 }] }, output_mtok: { base: 50, tiers: [{ start: 271999, price: 75 }] } },
      flex: { input_mtok: { base: 5, tiers: [{ start: 271999, price: 10 }] }, cache_read_mtok: { base: 0.5, tiers: [{ start: 271999, price: 1 }] }, cache_write_mtok: { base: 6.25, tiers: [{ start: 271999, price: 12.5 }] }, output_mtok: { base: 25, tiers: [{ start: 271999, price: 37.5 }] } },
      priority: { input_mtok: { base: 20, tiers: [{ start: 271999, price: 40 }] }, cache_read_mtok: { base: 2, tiers: [{ start: 271999, price: 4 }] }, cache_write_mtok: { base: 25, tiers: [{ start: 271999, price: 50 }] }, output_mtok: { base: 100, tiers: [{ start: 271999, price: 150 }] } },
      batch: { input_mtok: { base: 5, tiers: [{ start: 271999, price: 10 }] }, cache_read_mtok: { base: 0.5, tiers: [{ start: 271999, price: 1 }] }, cache_write_mtok: { base: 6.25, tiers: [{ start: 271999, price: 12.5 }] }, output_mtok: { base: 25, tiers: [{ start: 271999, price: 37.5 }] } },
    },
    'gpt-6-luna': {
      of: { input_mtok: { base: 0.1, tiers: [{ start: 271999, price: 0.2 }] }, cache_read_mtok: { base: 0.01, tiers: [{ start: 271999, price: 0.02 }] }, cache_write_mtok: { base: 0.125, tiers: [{ start: 271999, price: 0.25 }] }, output_mtok: { base: 0.5, tiers: [{ start: 271999, price: 0.75 }] } },
      flex: { input_mtok: { base: 0.05, tiers: [{ start: 271999, price: 0.1 }] }, cache_read_mtok: { base: 0.005, tiers: [{ start: 271999, price: 0.01 }] }, cache_write_mtok: { base: 0.0625, tiers: [{ start: 271999, price: 0.125 }] }, output_mtok: { base: 0.25, tiers: [{ start: 271999, price: 0.375 }] } },
      priority: { input_mtok: { base: 0.2, tiers: [{ start: 271999, price: 0.4 }] }, cache_read_mtok: { base: 0.02, tiers: [{ start: 271999, price: 0.04 }] }, cache_write_mtok: { base: 0.25, tiers: [{ start: 271999, price: 0.5 }] }, output_mtok: { base: 1, tiers: [{ start: 271999, price: 1.5 }] } },
      batch: { input_mtok: { base: 0.05, tiers: [{ start: 271999, price: 0.1 }] }, cache_read_mtok: { base: 0.005, tiers: [{ start: 271999, price: 0.01 }] }, cache_write_mtok: { base: 0.0625, tiers: [{ start: 271999, price: 0.125 }] }, output_mtok: { base: 0.25, tiers: [{ start: 271999, price: 0.375 }] } },
    },
    'gpt-6-sol': {
      of: { input_mtok: { base: 2, tiers: [{ start: 271999, price: 4 }] }, cache_read_mtok: { base: 0.2, tiers: [{ start: 271999, price: 0.4 }] }, cache_write_mtok: { base: 2.5, tiers: [{ start: 271999, price: 5 }] }, output_mtok: { base: 10, tiers: [{ start: 271999, price: 15 }] } },
      flex: { input_mtok: { base: 1, tiers: [{ start: 271999, price: 2 }] }, cache_read_mtok: { base: 0.1, tiers: [{ start: 271999, price: 0.2 }] }, cache_write_mtok: { base: 1.25, tiers: [{ start: 271999, price: 2.5 }] }, output_mtok: { base: 5, tiers: [{ start: 271999, price: 7.5 }] } },
      priority: { input_mtok: { base: 4, tiers: [{ start: 271999, price: 8 }] }, cache_read_mtok: { base: 0.4, tiers: [{ start: 271999, price: 0.8 }] }, cache_write_mtok: { base: 5, tiers: [{ start: 271999, price: 10 }] }, output_mtok: { base: 20, tiers: [{ start: 271999, price: 30 }] } },
      batch: { input_mtok: { base: 1, tiers: [{ start: 271999, price: 2 }] }, cache_read_mtok: { base: 0.1, tiers: [{ start: 271999, price: 0.2 }] }, cache_write_mtok: { base: 1.25, tiers: [{ start: 271999, price: 2.5 }] }, output_mtok: { base: 5, tiers: [{ start: 271999, price: 7.5 }] } },
    },
    'gpt-6.1-sol': {
      of: { input_mtok: { base: 2, tiers: [{ start: 271999, price: 4 }] }, cache_read_mtok: { base: 0.1, tiers: [{ start: 271999, price: 0.2 }] }, cache_write_mtok: { base: 2.5, tiers: [{ start: 271999, price: 5 }] }, output_mtok: { base: 10, tiers: [{ start: 271999, price: 15 }] } },
      flex: { input_mtok: { base: 1, tiers: [{ start: 271999, price: 2 }] }, cache_read_mtok: { base: 0.05, tiers: [{ start: 271999, price: 0.1 }] }, cache_write_mtok: { base: 1.25, tiers: [{ start: 271999, price: 2.5 }] }, output_mtok: { base: 5, tiers: [{ start: 271999, price: 7.5 }] } },
      priority: { input_mtok: { base: 4, tiers: [{ start: 271999, price: 8 }] }, cache_read_mtok: { base: 0.2, tiers: [{ start: 271999, price: 0.4 }] }, cache_write_mtok: { base: 5, tiers: [{ start: 271999, price: 10 }] }, output_mtok: { base: 20, tiers: [{ start: 271999, price: 30 }] } },
      batch: { input_mtok: { base: 1, tiers: [{ start: 271999, price: 2 }] }, cache_read_mtok: { base: 0.05, tiers: [{ start: 271999, price: 0.1 }] }, cache_write_mtok: { base: 1.25, tiers: [{ start: 271999, price: 2.5 }] }, output_mtok: { base: 5, tiers: [{ start: 271999, price: 7.5 }] } },
    },
    'o1': {
      of: { input_mtok: 15, cache_read_mtok: 7.5, output_mtok: 60 },
      batch: { input_mtok: 7.5, output_mtok: 30 },
    },
    'o1-pro': {
      of: { input_mtok: 150, output_mtok: 600 },
      batch: { input_mtok: 75, output_mtok: 300 },
    },
    'o3': {
      of: { input_mtok: 2, cache_read_mtok: 0.5, output_mtok: 8 },
      flex: { input_mtok: 1, cache_read_mtok: 0.25, output_mtok: 4 },
      priority: { input_mtok: 3.5, cache_read_mtok: 0.875, output_mtok: 14 },
      batch: { input_mtok: 1, output_mtok: 4 },
    },
    'o3-mini': {
      of: { input_mtok: 1.1, cache_read_mtok: 0.55, output_mtok: 4.4 },
      batch: { input_mtok: 0.55, output_mtok: 2.2 },
    },
    'o3-pro': {
      of: { input_mtok: 20, output_mtok: 80 },
      batch: { input_mtok: 10, output_mtok: 40 },
    },
    'o4-mini': {
      of: { input_mtok: 1.1, cache_read_mtok: 0.275, output_mtok: 4.4 },
      flex: { input_mtok: 0.55, cache_read_mtok: 0.138, output_mtok: 2.2 },
      priority: { input_mtok: 2, cache_read_mtok: 0.5, output_mtok: 8 },
      batch: { input_mtok: 0.55, output_mtok: 2.2 },
    },
  },
}
