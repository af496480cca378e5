// Fetches a pinned version of an npm package and checks its integrity.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

// Unpacks the package into a folder of its own below `into`: { folder, license }.
export function fetchPackage({ name, version, integrity }, into) {
  const place = join(into, name.replaceAll('/', '-'))
  mkdirSync(place)
  const packed = execFileSync('npm', ['pack', `${name}@${version}`, '--json', '--silent'], {
    cwd: place,
  })
  const archive = join(place, JSON.parse(packed)[0].filename)
  const digest = createHash('sha512').update(readFileSync(archive)).digest('base64')
  if (integrity !== `sha512-${digest}`) {
    throw new Error(`${name} ${version} has the integrity sha512-${digest}, not ${integrity}`)
  }
  execFileSync('tar', ['-xzf', archive, '-C', place])
  const folder = join(place, 'package')
  return { folder, license: JSON.parse(readFileSync(join(folder, 'package.json'))).license }
}
