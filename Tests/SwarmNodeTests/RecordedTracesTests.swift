import Glibc
import Metainfo
import Testing

@testable import SwarmNode

/// Where recorded boots lie, and which of them counts.
@Suite struct RecordedTracesTests {
  private let temporary = TemporaryFolder()

  private func traces() throws -> RecordedTraces {
    let name = try #require(DatasetName(v1: nil, v2: SHA256Digest(hashing: [1])))
    return try StateFolder(temporary("state")).recordedTraces(name)
  }

  private func trace(_ bytes: UInt64, at offset: UInt64 = 0) throws -> BootTrace {
    try BootTrace(
      fileSize: 1 << 20,
      reads: bytes == 0 ? [] : [.init(offset: offset, length: bytes, milliseconds: 5)])
  }

  @Test func theNewestBootCountsUnlessItHardlyRead() throws {
    let traces = try traces()
    #expect(traces.trace(of: 3) == nil && traces.files() == [])
    try traces.keep(part: try trace(4_000), of: 3)
    #expect(try traces.trace(of: 3) == trace(4_000), "one that goes on counts too")
    try traces.finish(3)
    #expect(traces.part(of: 3) == nil)
    #expect(try traces.trace(of: 3) == trace(4_000))
    // A quarter of it is a boot, and less is a look at the disk.
    for (bytes, counts) in [(999, false), (1_000, true), (0, false), (300, true)]
      as [(UInt64, Bool)]
    {
      let before = traces.trace(of: 3)
      let next = try trace(bytes, at: 50_000)
      try traces.keep(part: next, of: 3)
      #expect(traces.trace(of: 3) == (counts ? next : before), "\(bytes)")
      try traces.finish(3)
      #expect(traces.trace(of: 3) == (counts ? next : before), "\(bytes)")
      #expect(traces.part(of: 3) == nil)
    }
    try traces.keep(part: try trace(5), of: 0)
    #expect(traces.files() == [0, 3])
  }

  @Test func whatIsDamagedIsNotThere() throws {
    let traces = try traces()
    try traces.keep(part: try trace(400), of: 1)
    try traces.finish(1)
    let file = traces.path.appending(path: Array("1.trace".utf8))
    var bytes = try WholeFile.read(file, limit: 1_000)
    bytes[12] ^= 1
    try WholeFile.write(bytes, to: file)
    #expect(traces.trace(of: 1) == nil && traces.files() == [])
    // And is no reason not to record.
    try traces.keep(part: try trace(1), of: 1)
    try traces.finish(1)
    #expect(try traces.trace(of: 1) == trace(1))
  }

  /// What a trace asks for is bounded, whatever it says.
  @Test func whatIsFetchedForATraceIsBounded() throws {
    let size: UInt64 = 1 << 30
    let whole = try BootTrace(
      fileSize: size, reads: [.init(offset: 0, length: size, milliseconds: 0)])
    let (ranges, isCut) = TracePrefetch.ranges(of: whole, fileSize: size)
    #expect(ranges == [0..<size / 4] && isCut)
    #expect(TracePrefetch.ranges(of: whole, fileSize: 1 << 20).ranges == [0..<1 << 20])
    #expect(TracePrefetch.ranges(of: whole, fileSize: 1 << 20).isCut == false)
    let reads = (0..<60_000).map {
      BootTrace.Read(
        offset: UInt64($0) * 8_192, length: 8_192, milliseconds: UInt32($0))
    }
    let many = try BootTrace(fileSize: size, reads: reads)
    let least = TracePrefetch.ranges(of: many, fileSize: 200 << 20)
    let sum = least.ranges.reduce(0) { $0 + $1.count }
    #expect(sum == 64 << 20 && least.isCut)
    #expect(least.ranges.allSatisfy { $0.upperBound <= 200 << 20 })
  }
}
