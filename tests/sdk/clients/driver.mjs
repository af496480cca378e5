// What drives a client written in JavaScript: a job per line comes in, an outcome per line goes
// out. See driver.py, which does the same in Python.
import { createInterface } from "node:readline";

// The tool that agents have; what it tells has the fake provider answer in three words.
export const weather = ({ words }) => `Sunny, said ${words}. [fake prompt=60 output=3]`;

export async function serve(deeds) {
    const tell = process.stdout.write.bind(process.stdout);
    process.stdout.write = process.stderr.write.bind(process.stderr); // clients' own words
    for await (const line of createInterface({ input: process.stdin })) {
        const { do: deed, ...job } = JSON.parse(line);
        const outcome = await deeds[deed](job).catch((error) =>
            ({ error: error.constructor.name, message: error.message }));
        tell(JSON.stringify(outcome) + "\n");
    }
}
