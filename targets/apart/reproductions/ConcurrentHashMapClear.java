import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;

/**
 * What src/bin/flurry_clear.rs does, with the map that flurry's algorithm comes from: a clear beside a resize may leave
 * elements that were there when it began.
 *
 * java ConcurrentHashMapClear.java [ROUNDS]
 */
public class ConcurrentHashMapClear {
    static final int OWN = 49_140;

    static int round(long delayNanos) throws Exception {
        ConcurrentHashMap<Integer, Integer> map = new ConcurrentHashMap<>();
        for (int key = 0; key < OWN; key++) map.put(key, key);
        CyclicBarrier start = new CyclicBarrier(4);
        Thread[] others = new Thread[3];
        for (int i = 0; i < others.length; i++) {
            int first = (i + 1) << 20;
            others[i] = new Thread(() -> {
                try {
                    start.await();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
                for (int key = first; key < first + 400; key++) map.put(key, key);
            });
            others[i].start();
        }
        start.await();
        long began = System.nanoTime();
        while (System.nanoTime() - began < delayNanos) Thread.onSpinWait();
        map.clear();
        for (Thread other : others) other.join();
        int left = 0;
        for (int key = 0; key < OWN; key++) if (map.containsKey(key)) left++;
        return left;
    }

    public static void main(String[] args) throws Exception {
        int rounds = args.length > 0 ? Integer.parseInt(args[0]) : 1_500, failed = 0, most = 0;
        for (int n = 0; n < rounds; n++) {
            int left = round(n * 37_000L % 2_000_000L);
            if (left > 0) failed++;
            most = Math.max(most, left);
        }
        System.out.println("in " + failed + " of " + rounds + " rounds, some of " + OWN + " elements were left, at most " + most);
    }
}
