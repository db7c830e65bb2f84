import Metainfo
import Store
import TestSupport
import Testing

@testable import Swarm
@testable import SwarmNode

@Suite struct HashWorkersTests {
  private static func parts(
    _ memory: PayloadMemory, _ random: inout SplitMix64
  ) -> [HashPart] {
    var parts: [HashPart] = []
    // A run as blocks lie in a slab that was read into, and what lies anywhere.
    for block in 0..<Int(random.next() % 40) {
      let handle = PayloadMemory.handle(slab: 0, offset: 13 + block * 16_397)
      parts.append(HashPart(buffer: handle, length: 16_384))
    }
    for buffer in 0..<UInt64(random.next() % 6) {
      let length = UInt32.random(in: 1...16_384, using: &random)
      parts.append(HashPart(buffer: BufferHandle(buffer), length: length))
    }
    parts.shuffle(using: &random)
    return parts
  }

  private static func bytes(_ parts: [HashPart], _ memory: PayloadMemory) -> [[UInt8]] {
    parts.map { Array(memory.memory(of: $0.buffer).prefix(Int($0.length))) }
  }

  private static func memory(_ random: inout SplitMix64) throws -> PayloadMemory {
    let memory = try #require(PayloadMemory(poolBuffers: 8, slabCount: 1, slabBytes: 1 << 20))
    for buffer in 0..<8 as Range<UInt64> {
      memory.memory(of: BufferHandle(buffer)).copyBytes(from: random.bytes(16_384))
    }
    memory.slab(0).copyBytes(from: random.bytes(1 << 20))
    return memory
  }

  @Test func leavesAreTheHashesOfTheParts() throws {
    var random = SplitMix64(seed: 7)
    let memory = try Self.memory(&random)
    let workers = HashWorkers()
    for number in 0..<40 as Range<UInt64> {
      let parts = Self.parts(memory, &random)
      let job = HashJob(id: HashJobID(number), work: .leaves(parts))
      guard case .leaves(let leaves) = workers.run(job, in: memory) else {
        Issue.record("not leaves")
        return
      }
      #expect(leaves == Self.bytes(parts, memory).map { SHA256Digest(hashing: $0) })
    }
  }

  @Test func aPieceIsHashedInOrderWithZerosBehindIt() throws {
    var random = SplitMix64(seed: 8)
    let memory = try Self.memory(&random)
    let workers = HashWorkers()
    for number in 0..<40 as Range<UInt64> {
      let parts = Self.parts(memory, &random)
      let zeros = random.oneIn(3) ? 0 : UInt32(random.next() % 50_000)
      let job = HashJob(id: HashJobID(number), work: .piece(parts, zeros: zeros))
      guard case .piece(let digest) = workers.run(job, in: memory) else {
        Issue.record("not a piece")
        return
      }
      var all: [UInt8] = []
      for part in Self.bytes(parts, memory) { all += part }
      all += [UInt8](repeating: 0, count: Int(zeros))
      #expect(digest == SHA1Digest(hashing: all))
    }
  }

  @Test(arguments: HashEngine.allCases)
  func messagesOfAnyLengthsAreHashedAnywhere(engine: HashEngine) {
    var random = SplitMix64(seed: 9)
    let hasher = BulkHasher(engine: engine)
    for count in [0, 1, 3, 4, 16, 17, 70] {
      let messages = (0..<count).map { _ in random.bytes(1 + Int(random.next() % 300)) }
      let copies = messages.map { message in
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: message.count, alignment: 1)
        copy.copyBytes(from: message)
        return UnsafeRawBufferPointer(copy)
      }
      defer { for copy in copies { copy.deallocate() } }
      var digests = [SHA256Digest](repeating: .zero, count: count)
      digests.withUnsafeMutableBufferPointer { hasher.sha256(into: $0) { copies[$0] } }
      #expect(digests == messages.map { SHA256Digest(hashing: $0) })
    }
  }
}
