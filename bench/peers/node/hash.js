// node's bcrypt (OpenBSD's C code): hash.js COST COUNT
const bcrypt = require('bcrypt')
const [cost, count] = process.argv.slice(2).map(Number)
for (let i = 0; i < count; i++) {
  if (!bcrypt.hashSync('correct horse battery', cost).startsWith('$2b$')) process.exit(1)
}
