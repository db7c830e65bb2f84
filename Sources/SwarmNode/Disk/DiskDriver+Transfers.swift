import CGuard
import Glibc
import Metainfo
import Store

/// Reads and writes of payload.
extension DiskDriver {
  func write(_ parts: [TransferPart]) throws(DiskError) {
    try forEachRun(of: parts) { (file, offset, memory) throws(DiskError) in
      try open(file, toWrite: true).file.write(from: memory, at: offset)
    }
  }

  /// Reads all parts; the files that they were read from, each once, in the order of the parts.
  func read(_ parts: [TransferPart]) throws(DiskError) -> [(FileIndex, SharedFile)] {
    for part in parts where part.file == nil {
      memory(of: part).initializeMemory(as: UInt8.self, repeating: 0)
    }
    var files: [(index: FileIndex, file: SharedFile)] = []
    try forEachRun(of: parts) { (index, offset, memory) throws(DiskError) in
      // One file for all runs of it, whatever is put in its place meanwhile.
      let file: SharedFile
      if let last = files.last, last.index == index {
        file = last.file
      } else {
        file = try open(index, toWrite: false)
        files.append((index, file))
      }
      do throws(DiskError) {
        try file.file.read(into: memory, at: offset)
      } catch {
        // It may be of a file system that is no more.
        cache.remove(index)
        throw error
      }
    }
    return files
  }

  /// As `read`; what the files look like that the bytes are of. Bytes that somebody wrote so lately
  /// that a further write would leave no trace are read again.
  func readWithEvidence(_ parts: [TransferPart]) throws(DiskError) -> [FileEvidence?] {
    for _ in 0..<DiskLimits.unsettledReads {
      let start = Self.coarseTime
      let files = try read(parts)
      var evidence: [FileEvidence?] = []
      for (index, file) in files {
        if try file.file.status().st_nlink > 0 {
          evidence.append(try file.file.evidence())
        } else {
          // Removed, or replaced: what is at its path counts, and the disk gets its room back.
          cache.remove(index)
          evidence.append(try open(index, toWrite: false).file.evidence())
        }
      }
      // What lies far in the future was stamped by another clock.
      let doubtful = start..<start + DiskLimits.unsettledTime
      if !evidence.contains(where: { $0.map { doubtful.contains($0.changed) } ?? false }) {
        return evidence
      }
      usleep(DiskLimits.unsettledPause)
    }
    throw DiskError(.read, files(of: parts), EBUSY)
  }

  /// The clock by which the system stamps files, which moves in ticks: nanoseconds since 1970.
  private static var coarseTime: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME_COARSE, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  private func files(of parts: [TransferPart]) -> [UInt8] {
    parts.lazy.compactMap(\.file).first.map { ConfinedFolder.joined(names(of: $0)) } ?? []
  }

  /// Fills `buffer` with bytes of a file if that needs no waiting.
  func readCached(
    _ index: FileIndex, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
  ) -> Bool {
    guard let file = cache.find(index, toWrite: false) ?? (try? open(index, toWrite: false)) else {
      return false
    }
    let descriptor = file.file.descriptor
    return clocal_read_cached(
      descriptor, buffer.baseAddress, buffer.count, Int64(bitPattern: offset)) == 1
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
