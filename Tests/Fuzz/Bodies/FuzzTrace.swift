import Metainfo

/// The first byte says what the rest is: an encoded trace, one without its magic and checksum, or
/// reads that are recorded.
func fuzzTrace(_ bytes: UnsafeRawBufferPointer) {
  guard let first = bytes.first else { return }
  let rest = Array(bytes.dropFirst())
  switch first % 3 {
  case 0: checkTrace(rest)
  case 1:
    let body = Array("swarmtrc".utf8) + rest
    checkTrace(body + SHA256Digest(hashing: body).bytes)
  default: checkRecorder(FuzzReader(UnsafeRawBufferPointer(rebasing: bytes[1...])))
  }
}

/// What is read has the promised form, and is written again with the same bytes.
private func checkTrace(_ bytes: [UInt8]) {
  do {
    let trace = try BootTrace(encoded: bytes)
    demand(trace.encoded == bytes, "written again it is different")
    demand(trace.byteCount <= trace.fileSize, "more than the file")
    var time: UInt32 = 0
    for read in trace.reads {
      demand(read.length > 0 && read.range.upperBound <= trace.fileSize, "outside of the file")
      demand(read.milliseconds >= time, "time goes back")
      time = read.milliseconds
    }
    let half = trace.fitted(to: trace.fileSize / 2)
    demand(half.allSatisfy { $0.length > 0 && $0.range.upperBound <= trace.fileSize / 2 })
    demand(trace.text.utf8.count { $0 == UInt8(ascii: "\n") } == trace.reads.count + 2)
  } catch {
    demand(!error.description.isEmpty)
    if case .byte(let offset) = error.place { demand((0...bytes.count).contains(offset)) }
  }
}

/// However a file of 256 bytes is read, the trace has each byte that was read, once, and not before
/// one that was read earlier by more than reads are merged.
private func checkRecorder(_ input: FuzzReader) {
  var reader = input
  var recorder = TraceRecorder(fileSize: 256)
  var first: [UInt64?] = Array(repeating: nil, count: 256)
  var time: UInt64 = 0
  while !reader.isAtEnd {
    time += UInt64(reader.byte()) * UInt64(reader.byte() & 3)
    let start = UInt64(reader.byte())
    let end = start + UInt64(reader.byte() & 63)
    recorder.record(start..<end, at: time)
    for place in start..<end where place < 256 && first[Int(place)] == nil {
      first[Int(place)] = time
    }
  }
  let trace = recorder.trace
  checkTrace(trace.encoded)
  demand((try? BootTrace(encoded: trace.encoded)) == trace, "it is not what was recorded")
  var told: [UInt64?] = Array(repeating: nil, count: 256)
  for read in trace.reads {
    for place in read.range { told[Int(place)] = UInt64(read.milliseconds) }
  }
  for place in 0..<256 {
    guard let read = first[place], read <= UInt64(TraceLimits.milliseconds) else {
      demand(told[place] == nil, "byte \(place) was not read")
      continue
    }
    guard let said = told[place] else { demand(false, "byte \(place) is missing"); continue }
    demand(said <= read && read - said <= UInt64(TraceLimits.mergeMilliseconds), "byte \(place)")
  }
}
