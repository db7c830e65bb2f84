import Glibc
import Metainfo
import TestSupport
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
    let (ranges, isCut) = TracePrefetch.ranges(of: whole, fileSize: size, unit: 65_536)
    #expect(ranges == [0..<size / 4] && isCut)
    let small = TracePrefetch.ranges(of: whole, fileSize: 1 << 20, unit: 65_536)
    #expect(small.ranges == [0..<1 << 20] && !small.isCut)
    // A byte costs its unit, once.
    let scattered = try BootTrace(
      fileSize: size,
      reads: (0..<30_000).flatMap { number in
        [0, 100].map {
          .init(
            offset: UInt64(number) << 15 + $0, length: 1, milliseconds: UInt32(number))
        }
      })
    let cut = TracePrefetch.ranges(of: scattered, fileSize: size, unit: 32_768)
    #expect(cut.ranges.count == 2 * 8_192 && cut.isCut)
    #expect(
      TracePrefetch.ranges(of: scattered, fileSize: size, unit: 131_072).ranges.count == 16_384)
    #expect(!TracePrefetch.ranges(of: scattered, fileSize: size, unit: 4_096).isCut)
  }

  /// Against counting every unit of every read.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func unitsAreCountedOnce(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let size: UInt64 = 200 << 20
    let unit: UInt64 = 16_384 << UInt64.random(in: 0...4, using: &random)
    var recorder = TraceRecorder(fileSize: size)
    for _ in 0..<UInt64.random(in: 1...4_000, using: &random) {
      let start = UInt64.random(in: 0..<size, using: &random)
      recorder.record(start..<start + UInt64.random(in: 1...90_000, using: &random), at: 0)
    }
    let (ranges, isCut) = TracePrefetch.ranges(of: recorder.trace, fileSize: size, unit: unit)
    let all = recorder.trace.reads.map(\.range)
    #expect(zip(ranges, all).dropLast().allSatisfy { $0 == $1 })
    func units(_ ranges: [Range<UInt64>]) -> Int {
      Set(ranges.flatMap { $0.lowerBound / unit...($0.upperBound - 1) / unit }).count
    }
    let bound = Int((64 << 20) / unit)
    #expect(units(ranges) <= bound, "seed \(seed)")
    #expect(isCut ? units(ranges) >= bound - 1 : ranges == all, "seed \(seed)")
    #expect(isCut == (units(all) > bound), "seed \(seed)")
  }
}
