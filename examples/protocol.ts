import { nodeProvider } from "@conclave/crypto/node"
import { cipherSuite, createKeyPackage, dangerouslyAcceptAll, Group } from "@conclave/mls"

const suite = cipherSuite("MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", nodeProvider())
const now = () => BigInt(Math.floor(Date.now() / 1000))
const person = (name: string) => ({
  credential: { type: "basic" as const, identity: new TextEncoder().encode(name) },
  key: suite.signature.generate(suite.provider.random),
})
const [alice, bob] = [person("alice"), person("bob")]

// Bob publishes a key package; Alice creates a group and adds him.
const lifetime = { notBefore: now() - 60n, notAfter: now() + 86_400n }
const offer = createKeyPackage({ suite, signer: bob, lifetime })
const group = Group.create({ suite, signer: alice, now, groupId: suite.provider.random(32) })
const commit = group.commit({ add: [offer.keyPackage] })
group.apply(commit, dangerouslyAcceptAll(commit.claims)) // An application judges each new credential here.

const welcome = { welcome: commit.welcome!, keyPackages: [offer] }
const join = Group.stageJoin({ suite, signer: bob, now, ...welcome })
const bobsGroup = join.accept(dangerouslyAcceptAll(join.claims))

const received = bobsGroup.receive(group.encrypt(new TextEncoder().encode("hello, bob")))
if (received.type === "application") console.log(new TextDecoder().decode(received.plaintext))
