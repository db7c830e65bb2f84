import Metainfo
import Store

/// Reads and writes of payload.
extension DiskDriver {
  func write(_ parts: [TransferPart]) throws(DiskError) {
    try forEachRun(of: parts) { (file, offset, memory) throws(DiskError) in
      try open(file, toWrite: true).file.write(from: memory, at: offset)
    }
  }

  func read(_ parts: [TransferPart]) throws(DiskError) {
    for part in parts where part.file == nil {
      memory(of: part).initializeMemory(as: UInt8.self, repeating: 0)
    }
    try forEachRun(of: parts) { (file, offset, memory) throws(DiskError) in
      try open(file, toWrite: false).file.read(into: memory, at: offset)
    }
  }

  /// What the files that were just read look like, each once, in the order of the parts.
  func evidence(of parts: [TransferPart]) throws(DiskError) -> [FileEvidence?] {
    var evidence: [FileEvidence?] = []
    var last: FileIndex?
    for part in parts {
      guard let file = part.file, file != last else { continue }
      last = file
      evidence.append(try open(file, toWrite: false).file.evidence())
    }
    return evidence
  }

  /// Calls `body` with parts that follow each other in a file, as one system call takes them.
  private func forEachRun(
    of parts: [TransferPart],
    _ body: (FileIndex, UInt64, TransferBuffers) throws(DiskError) -> Void
  ) throws(DiskError) {
    var index = 0
    while index < parts.count {
      let first = parts[index]
      guard let file = first.file else {
        index += 1
        continue
      }
      var buffers = TransferBuffers()
      repeat {
        buffers.append(memory(of: parts[index]))
        index += 1
      } while index < parts.count && parts[index].file == file
        && parts[index].offset == first.offset + UInt64(buffers.byteCount)
      try body(file, first.offset, buffers)
    }
  }

  private func memory(of part: TransferPart) -> UnsafeMutableRawBufferPointer {
    let memory = buffers.memory(of: part.buffer)
    let start = Int(part.bufferOffset)
    return UnsafeMutableRawBufferPointer(rebasing: memory[start..<(start + Int(part.length))])
  }
}
