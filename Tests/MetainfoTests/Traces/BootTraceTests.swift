import Metainfo
import TestSupport
import Testing

@Suite struct BootTraceTests {
  typealias Read = BootTrace.Read

  static let reads = [
    Read(offset: 0, length: 4_096, milliseconds: 0),
    Read(offset: 1 << 20, length: 300, milliseconds: 3),
    Read(offset: 4_096, length: 512, milliseconds: 3),
    Read(offset: 4_608, length: 1, milliseconds: 203),
  ]

  /// Written by hand from docs/trace.md.
  static let body =
    "7377 61726d747263" + "01" + "80808004" + "04"
    + "00" + "00" + "8020" + "03" + "80c07f" + "ac02" + "00" + "d7c47f" + "8004"
    + "c801" + "00" + "01"

  @Test func formatIsAsDocumented() throws {
    let trace = try BootTrace(fileSize: 1 << 23, reads: Self.reads)
    let body = try #require([UInt8](hex: Self.body.filter { $0 != " " }))
    let bytes = body + SHA256Digest(hashing: body).bytes
    #expect(trace.encoded.hex == bytes.hex)
    #expect(try BootTrace(encoded: bytes) == trace)
  }

  @Test func textIsForPeople() throws {
    let trace = try BootTrace(fileSize: 1 << 23, reads: Self.reads)
    #expect(
      trace.text == """
        # 4 reads, 4909 of 8388608 bytes, 203 ms
        # ms offset length
        0 0 4096
        3 1048576 300
        3 4096 512
        203 4608 1

        """)
    #expect(try BootTrace(fileSize: 5, reads: []).text.hasPrefix("# 0 reads, 0 of 5 bytes, 0 ms\n"))
  }

  static let bad: [(String, UInt64, [Read], TraceError.Reason)] = [
    ("no byte", 10, [Read(offset: 0, length: 0, milliseconds: 0)], .outside),
    ("behind the end", 10, [Read(offset: 10, length: 1, milliseconds: 0)], .outside),
    ("over the end", 10, [Read(offset: 9, length: 2, milliseconds: 0)], .outside),
    ("overflow", 10, [Read(offset: 9, length: .max, milliseconds: 0)], .outside),
    (
      "time goes back", 10,
      [
        Read(offset: 0, length: 1, milliseconds: 2), Read(offset: 1, length: 1, milliseconds: 1),
      ], .time
    ),
    ("too late", 10, [Read(offset: 0, length: 1, milliseconds: 3_600_001)], .time),
    (
      "twice", 10,
      [
        Read(offset: 5, length: 2, milliseconds: 0), Read(offset: 2, length: 4, milliseconds: 1),
      ], .overlap
    ),
    ("a huge file", 1 << 48, [], .fileSize(1 << 48)),
    (
      "too many", 1 << 20,
      (0...UInt64(TraceLimits.reads)).map { Read(offset: $0, length: 1, milliseconds: 0) },
      .tooManyReads(65_537)
    ),
  ]

  @Test(arguments: bad)
  func badReadsAreRefused(
    what: String, size: UInt64, reads: [Read], reason: TraceError.Reason
  ) {
    let error = #expect(throws: TraceError.self) { try BootTrace(fileSize: size, reads: reads) }
    #expect(error?.reason == reason, "\(what)")
  }

  /// What stands behind the magic, the error and where.
  static let badBytes: [(String, String, TraceError.Reason, TraceError.Place)] = [
    ("version 2", "020000", .version(2), .byte(8)),
    ("nothing", "", .truncated, .byte(40)),
    ("no count", "0100", .truncated, .byte(10)),
    ("a number with a byte too many", "01800000", .number, .byte(9)),
    ("a number without end", "01ffffffffffffffff7f00", .number, .byte(9)),
    ("one read missing", "011001", .truncated, .byte(11)),
    ("bytes behind the reads", "01100000", .surplus(1), .byte(11)),
    ("too many reads", "0110818004", .tooManyReads(65_537), .byte(13)),
    ("before the beginning", "011001000101", .outside, .read(0)),
    ("behind the end", "011001002001", .outside, .read(0)),
    ("too late", "011001ffffffffff7f0001", .time, .read(0)),
    ("too long a read", "0110010000ffffffffffffff7f", .outside, .read(0)),
  ]

  @Test(arguments: badBytes)
  func badBytesAreRefused(
    what: String, body: String, reason: TraceError.Reason, place: TraceError.Place
  ) throws {
    let bytes = Array("swarmtrc".utf8) + (try #require([UInt8](hex: body)))
    let error = #expect(throws: TraceError.self) {
      try BootTrace(encoded: bytes + SHA256Digest(hashing: bytes).bytes)
    }
    #expect(error?.reason == reason && error?.place == place, "\(what)")
  }

  @Test func everyChangedByteIsFound() throws {
    let bytes = try BootTrace(fileSize: 1 << 23, reads: Self.reads).encoded
    for place in bytes.indices {
      var changed = bytes
      changed[place] ^= 1
      #expect(throws: TraceError.self) { try BootTrace(encoded: changed) }
      #expect(throws: TraceError.self) { try BootTrace(encoded: Array(bytes[..<place])) }
    }
    #expect(throws: TraceError.self) { try BootTrace(encoded: bytes + [0]) }
    #expect(throws: TraceError.self) {
      try BootTrace(encoded: bytes + [UInt8](repeating: 0, count: TraceLimits.bytes))
    }
  }

  /// The largest trace there can be is within the bound on its bytes.
  @Test func longestTraceIsRead() throws {
    let size = MetainfoLimits.contentBytes
    let reads = (0..<UInt64(TraceLimits.reads)).map { index in
      let offset = index.isMultiple(of: 2) ? index * 1_000 : size - index * 1_000
      return Read(offset: offset, length: 900, milliseconds: UInt32(index) * 54)
    }
    let trace = try BootTrace(fileSize: size, reads: reads)
    #expect(trace.encoded.count <= TraceLimits.bytes)
    #expect(try BootTrace(encoded: trace.encoded) == trace)
  }

  @Test func anotherVersionOfTheFileTakesWhatItHas() throws {
    let trace = try BootTrace(fileSize: 1 << 23, reads: Self.reads)
    #expect(
      trace.fitted(to: 4_100).map(\.range) == [0..<4_096, 4_096..<4_100])
    #expect(trace.fitted(to: .max) == trace.reads)
    #expect(trace.fitted(to: 0).isEmpty)
  }
}

@Suite struct TraceRecorderTests {
  @Test func runsGrowWhileTheyAreRecent() {
    var recorder = TraceRecorder(fileSize: 1 << 20)
    recorder.record(0..<100, at: 0)
    recorder.record(5_000..<5_100, at: 1)
    recorder.record(100..<200, at: 100)
    recorder.record(5_100..<5_200, at: 101)
    recorder.record(200..<300, at: 101)
    #expect(recorder.trace.reads.map(\.range) == [0..<200, 5_000..<5_200, 200..<300])
    #expect(recorder.trace.reads.map(\.milliseconds) == [0, 1, 101])
  }

  @Test func onlyTheFirstReadCounts() {
    var recorder = TraceRecorder(fileSize: 1_000)
    recorder.record(100..<200, at: 10)
    recorder.record(150..<160, at: 400)
    recorder.record(50..<250, at: 500)
    recorder.record(0..<2_000, at: 900)
    recorder.record(0..<1_000, at: 1_500)
    #expect(
      recorder.trace.reads.map(\.range) == [
        100..<200, 50..<100, 200..<250, 0..<50, 250..<1_000,
      ])
    #expect(recorder.trace.reads.map(\.milliseconds) == [10, 500, 500, 900, 900])
  }

  @Test func whatIsTooLateOrOutsideIsLeftOut() {
    var recorder = TraceRecorder(fileSize: 1_000)
    recorder.record(0..<10, at: 3_600_001)
    recorder.record(1_000..<2_000, at: 0)
    recorder.record(5..<5, at: 0)
    #expect(recorder.trace.reads.isEmpty)
    recorder.record(0..<10, at: 3_600_000)
    #expect(recorder.trace.reads.count == 1)
  }

  @Test func fullRecorderStaysATrace() throws {
    var recorder = TraceRecorder(fileSize: 1 << 30)
    for index in 0...UInt64(TraceLimits.reads) { recorder.record(index * 2..<index * 2 + 1, at: 0) }
    #expect(recorder.isFull && recorder.trace.reads.count == TraceLimits.reads)
    #expect(try BootTrace(encoded: recorder.trace.encoded) == recorder.trace)
  }

  /// The same as the slowest way: the time of each byte.
  @Test func everyByteIsInTheTraceOnce() throws {
    for seed in UInt64(1)...200 {
      var random = SplitMix64(seed: seed)
      let size = UInt64.random(in: 1...500, using: &random)
      var recorder = TraceRecorder(fileSize: size)
      var times = [UInt64?](repeating: nil, count: Int(size))
      var time: UInt64 = 0
      for _ in 0..<Int.random(in: 0...60, using: &random) {
        time += random.oneIn(3) ? UInt64.random(in: 0...300, using: &random) : 0
        let start = UInt64.random(in: 0...size, using: &random)
        let end = start + UInt64.random(in: 0...80, using: &random)
        recorder.record(start..<end, at: time)
        for place in start..<end where place < size && times[Int(place)] == nil {
          times[Int(place)] = time
        }
      }
      let trace = recorder.trace
      #expect(try BootTrace(encoded: trace.encoded) == trace, "seed \(seed)")
      var told = [UInt64?](repeating: nil, count: Int(size))
      for read in trace.reads {
        for place in read.range { told[Int(place)] = UInt64(read.milliseconds) }
      }
      for (said, read) in zip(told, times) {
        #expect((said == nil) == (read == nil), "seed \(seed)")
        if let said, let read { #expect(said <= read && read - said <= 100, "seed \(seed)") }
      }
    }
  }
}
