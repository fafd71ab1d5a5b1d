package im.parley.launcher;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import org.jspecify.annotations.Nullable;

/** Plugins, good ones and such as no jar tool makes: each header of the zip file can say something else. */
final class PluginForge {
    /** One entry; a local value that is null is as the directory says. */
    static final class Entry {
        final byte[] content;
        byte[] name;
        byte @Nullable [] localName;
        boolean deflated = true;
        int flags;
        int mode;

        @Nullable
        Long size;

        @Nullable
        Long localSize;

        byte[] extra = {};
        byte @Nullable [] data;

        Entry(String name, byte[] content) {
            this.name = name.getBytes(StandardCharsets.UTF_8);
            this.content = content;
        }
    }

    final Map<String, String> manifest = new LinkedHashMap<>();
    final List<Entry> entries = new ArrayList<>();
    byte[] before = {};
    byte[] between = {};
    byte[] after = {};

    @Nullable
    Integer count;

    /** A plugin as a jar tool makes it. */
    static PluginForge plugin(String bsn, String version) {
        PluginForge forge = new PluginForge();
        forge.manifest.put("Manifest-Version", "1.0");
        forge.manifest.put("Bundle-ManifestVersion", "2");
        forge.manifest.put("Bundle-SymbolicName", bsn);
        forge.manifest.put("Bundle-Version", version);
        forge.manifest.put("Import-Package", "im.parley.api.policy;version=\"[0.1,0.2)\",org.osgi.service.component");
        forge.with("com/acme/chess/Chess.class", "a class".repeat(50));
        return forge;
    }

    PluginForge header(String name, String value) {
        manifest.put(name, value);
        return this;
    }

    PluginForge with(String name, String content) {
        return with(new Entry(name, content.getBytes(StandardCharsets.UTF_8)));
    }

    PluginForge with(Entry entry) {
        entries.add(entry);
        return this;
    }

    byte[] manifestText() {
        StringBuilder text = new StringBuilder();
        manifest.forEach((name, value) -> {
            String line = name + ": " + value;
            for (int at = 0; at < line.length(); at += 60) {
                text.append(at == 0 ? "" : " ")
                        .append(line, at, Math.min(line.length(), at + 60))
                        .append("\r\n");
            }
        });
        return text.append("\r\n").toString().getBytes(StandardCharsets.UTF_8);
    }

    byte[] jar() {
        List<Entry> all = new ArrayList<>();
        if (!manifest.isEmpty()) {
            all.add(new Entry("META-INF/MANIFEST.MF", manifestText()));
        }
        all.addAll(entries);
        return zip(all);
    }

    private byte[] zip(List<Entry> all) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream directory = new ByteArrayOutputStream();
        out.writeBytes(before);
        for (Entry entry : all) {
            byte[] data = entry.data != null ? entry.data : entry.deflated ? deflated(entry.content) : entry.content;
            CRC32 crc = new CRC32();
            crc.update(entry.content);
            long size = entry.size != null ? entry.size : entry.content.length;
            long localSize = entry.localSize != null ? entry.localSize : size;
            byte[] localName = entry.localName != null ? entry.localName : entry.name;
            int offset = out.size();
            ByteBuffer local = buffer(30);
            local.putInt(0x04034b50).putShort((short) 20).putShort((short) entry.flags);
            local.putShort((short) (entry.deflated ? 8 : 0)).putInt(0x21);
            local.putInt((int) crc.getValue()).putInt(data.length).putInt((int) localSize);
            local.putShort((short) localName.length).putShort((short) entry.extra.length);
            out.writeBytes(local.array());
            out.writeBytes(localName);
            out.writeBytes(entry.extra);
            out.writeBytes(data);
            out.writeBytes(between);
            ByteBuffer central = buffer(46);
            central.putInt(0x02014b50).putShort((short) (3 << 8 | 20)).putShort((short) 20);
            central.putShort((short) entry.flags)
                    .putShort((short) (entry.deflated ? 8 : 0))
                    .putInt(0x21);
            central.putInt((int) crc.getValue()).putInt(data.length).putInt((int) size);
            central.putShort((short) entry.name.length)
                    .putShort((short) entry.extra.length)
                    .putShort((short) 0);
            central.putShort((short) 0)
                    .putShort((short) 0)
                    .putInt(entry.mode << 16)
                    .putInt(offset);
            directory.writeBytes(central.array());
            directory.writeBytes(entry.name);
            directory.writeBytes(entry.extra);
        }
        int start = out.size();
        out.writeBytes(directory.toByteArray());
        ByteBuffer end = buffer(22);
        int entryCount = count != null ? count : all.size();
        end.putInt(0x06054b50).putShort((short) 0).putShort((short) 0);
        end.putShort((short) entryCount).putShort((short) entryCount);
        end.putInt(directory.size()).putInt(start).putShort((short) 0);
        out.writeBytes(end.array());
        out.writeBytes(after);
        return out.toByteArray();
    }

    private static ByteBuffer buffer(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    static byte[] deflated(byte[] content) {
        Deflater deflater = new Deflater(9, true);
        try {
            deflater.setInput(content);
            deflater.finish();
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] buffer = new byte[8192];
            while (!deflater.finished()) {
                out.write(buffer, 0, deflater.deflate(buffer));
            }
            return out.toByteArray();
        } finally {
            deflater.end();
        }
    }
}
