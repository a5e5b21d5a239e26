/** What everybody knows, in this world as in ours. `{v}` is the part that may be right or wrong. */
export interface CommonSense {
  readonly sentence: string;
  readonly right: string;
  readonly wrong: string;
}

const LINES = `
A fish lives in {v}.|water|an oven
A key opens {v}.|a lock|a spoon
Bread is baked in {v}.|an oven|a river
Snow is {v}.|cold|hot
Fire is {v}.|hot|wet
Rain falls from {v}.|the clouds|the ground
A bird has two {v}.|wings|wheels
A dog has four {v}.|legs|horns
Cheese is made from {v}.|milk|sand
Honey is made by {v}.|bees|cats
Wool comes from {v}.|sheep|snakes
A boat swims on {v}.|the water|the roof
The sun rises in the {v}.|morning|evening
At night it is {v}.|dark|bright
A baker makes {v}.|bread|rope
A potter works with {v}.|clay|milk
A weaver makes {v}.|cloth|soup
A sailor goes to {v}.|sea|the moon on foot
Ice melts in the {v}.|sun|snow
A knife is used to {v}.|cut|drink
A bell can {v}.|ring|swim
People see with their {v}.|eyes|knees
People hear with their {v}.|ears|elbows
Trees grow out of the {v}.|ground|sky
An apple grows on a {v}.|tree|stone
Grass is {v}.|green|made of iron
A stone is {v}.|hard|soft as butter
A feather is {v}.|light|heavy as a house
Sick people go to a {v}.|doctor|candle
A week has {v} days.|seven|three
A year has {v} months.|twelve|five
Winter is colder than {v}.|summer|ice
A cart rolls on {v}.|wheels|feathers
A candle gives {v}.|light|milk
A roof keeps out the {v}.|rain|stairs
A river flows {v}.|downhill|uphill
Salt tastes {v}.|salty|sweet
A child grows into an {v}.|adult|egg
Sheep eat {v}.|grass|nails
A book is there to be {v}.|read|eaten
A hammer drives in {v}.|nails|clouds
A bed is there to {v}.|sleep in|fly with
Smoke rises {v}.|upwards|out of dry stones
Old iron gathers {v}.|rust|petals
A cat catches {v}.|mice|mountains
Hens lay {v}.|eggs|bricks
A ladder helps to climb {v}.|up|into a letter
A well gives {v}.|water|bread`;

/** The only list of common sense. */
export const commonSense: readonly CommonSense[] = LINES.trim()
  .split("\n")
  .map((line) => {
    const [sentence, right, wrong] = line.split("|") as [string, string, string];
    return { sentence, right, wrong };
  });
